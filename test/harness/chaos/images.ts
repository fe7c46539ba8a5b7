import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { clientOf, connect } from "#rpc";
import { digestOf, patternBytes } from "../../differential/blobs.ts";
import { writeOciArchive } from "../../differential/image-archives.ts";
import { oddLayers } from "../../differential/odd-layers.ts";
import { tarOf } from "../../plugins/differ/tar-builder.ts";
import { ctr } from "../ctr.ts";
import type { TempFolder } from "../temp-folder.ts";

/** An image that clients import. */
export interface LoadImage {
  /** Path of its archive. */
  readonly archive: string;
  readonly image: string;
  /** Digest of its topmost layer. */
  readonly layer: string;
}

const imageCount = 3;
const files = 100;

/** Images that share all layers but the topmost. */
export async function writeImages(folder: TempFolder): Promise<readonly LoadImage[]> {
  return Promise.all(Array.from({ length: imageCount }, (_, index) => writeImage(folder, index)));
}

async function writeImage(folder: TempFolder, index: number): Promise<LoadImage> {
  const own = tarOf(
    Array.from({ length: files }, (_, file) => ({
      name: `own/${file}`,
      data: patternBytes(4000, `image ${index} file ${file}`),
    })),
  );
  const [archive, image] = [folder.join(`image-${index}.tar`), `example.com/chaos:${index}`];
  const layers = [...oddLayers, own].map((tar) => ({ tar, packing: "gzip" as const }));
  await writeOciArchive(archive, image, [{ family: "oci", layers }]);
  return { archive, image, layer: digestOf(gzipSync(own)) };
}

/**
 * Once all is well again: what is left of namespaces' images is whole, and one more is imported into each, which stays.
 * Collects what nobody keeps, so that a walk can tell. Gives what is wrong, in words.
 */
export async function checkImages(address: string, namespaces: readonly string[], kept: LoadImage): Promise<string[]> {
  const problems: string[] = [];
  using channel = connect(address);
  const leases = clientOf(Leases, channel);
  for (const namespace of namespaces) {
    const scope = { metadata: { "containerd-namespace": namespace } };
    const run = (...args: readonly string[]) => ctr(address, ["image", ...args], { namespace });
    const imported = await run("import", kept.archive);
    if (imported.code !== 0) problems.push(`import into ${namespace}: ${imported.stderr}`);
    const { stdout } = await run("check");
    const [heading = "", ...lines] = stdout.trim().split("\n");
    assert.match(heading, /STATUS/);
    problems.push(...lines.filter((line) => !/ complete \(/.test(line)).map((line) => `in ${namespace}: ${line}`));
    if (!lines.some((line) => line.startsWith(kept.image) && line.trim().endsWith("true"))) {
      problems.push(`in ${namespace}: ${kept.image} is not unpacked`);
    }
    await leases.create({ id: "collect" }, scope);
    await leases.delete({ id: "collect", sync: true }, scope);
  }
  return problems;
}
