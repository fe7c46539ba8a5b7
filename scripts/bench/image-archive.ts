import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { appendFile, copyFile, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip, gzipSync } from "node:zlib";
import { execa } from "execa";

const tarBlockBytes = 512;
const configType = "application/vnd.oci.image.config.v1+json";
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";

/** An archive of an image. */
export interface Archive {
  readonly path: string;
  /** Name of the image. */
  readonly image: string;
}

/**
 * An archive of an image of these gzip layers. Those with different numbers have no layer in common: each ends with
 * another count of zeros, which no reader of archives looks at.
 */
export async function makeArchive(folder: string, layers: readonly string[], number: number): Promise<Archive> {
  const image = `example.com/bench:${number}`;
  const top = join(folder, `oci-${number}`);
  const blobs = join(top, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const addJson = async (value: unknown, mediaType: string) => {
    const text = JSON.stringify(value);
    const hex = createHash("sha256").update(text).digest("hex");
    await writeFile(join(blobs, hex), text);
    return { mediaType, digest: `sha256:${hex}`, size: text.length };
  };
  const diffIds: string[] = [];
  const descriptors: unknown[] = [];
  for (const original of layers) {
    const layer = join(top, "layer");
    await copyFile(original, layer);
    await appendFile(layer, gzipSync(Buffer.alloc(tarBlockBytes * (number + 1))));
    const [packed, plain] = [createHash("sha256"), createHash("sha256")];
    await pipeline(createReadStream(layer), packed);
    await pipeline(createReadStream(layer), createGunzip(), plain);
    const hex = packed.digest("hex");
    descriptors.push({ mediaType: layerType, digest: `sha256:${hex}`, size: (await stat(layer)).size });
    await rename(layer, join(blobs, hex));
    diffIds.push(`sha256:${plain.digest("hex")}`);
  }
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  const config = await addJson(
    { architecture, os: "linux", rootfs: { type: "layers", diff_ids: diffIds } },
    configType,
  );
  const manifest = await addJson(
    { schemaVersion: 2, mediaType: manifestType, config, layers: descriptors },
    manifestType,
  );
  const annotations = { "io.containerd.image.name": image };
  await writeFile(
    join(top, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  await writeFile(join(top, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const path = join(folder, `image-${number}.tar`);
  await execa("tar", ["-C", top, "-cf", path, "oci-layout", "index.json", "blobs"]);
  await rm(top, { recursive: true });
  return { path, image };
}
