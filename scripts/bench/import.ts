import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import { execa } from "execa";
import { ctr } from "../../test/harness/ctr.ts";
import type { Daemon } from "../../test/harness/stock-daemon.ts";
import { cpuSecondsBelow } from "./cpu.ts";
import { memoryBelow } from "./memory.ts";

const image = "example.com/bench:1";
const importMs = 600_000;
/** Between two looks at the memory. */
const sampleMs = 100;
const configType = "application/vnd.oci.image.config.v1+json";
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";

/** What an import with its unpacking took. */
export interface ImportSample {
  /** Seconds. */
  readonly wall: number;
  readonly cpu: number;
  /** MiB: the highest sum of anonymous memory of the daemon's processes that was seen. */
  readonly peak: number;
}

/** An archive of an image of these gzip layers; gives its path. */
export async function makeArchive(folder: string, layers: readonly string[]): Promise<string> {
  const top = join(folder, "oci");
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
  for (const layer of layers) {
    const [packed, plain] = [createHash("sha256"), createHash("sha256")];
    await pipeline(createReadStream(layer), packed);
    await pipeline(createReadStream(layer), createGunzip(), plain);
    const hex = packed.digest("hex");
    await link(layer, join(blobs, hex));
    descriptors.push({ mediaType: layerType, digest: `sha256:${hex}`, size: (await stat(layer)).size });
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
  const archive = join(folder, "image.tar");
  await execa("tar", ["-C", top, "-cf", archive, "oci-layout", "index.json", "blobs"]);
  return archive;
}

/** Imports with the stock client, from a file to snapshots, and removes the image again, which is not counted. */
export async function measureImport(daemon: Daemon, archive: string): Promise<ImportSample> {
  const run = async (...args: readonly string[]) => {
    const { code, stderr } = await ctr(daemon.address, ["image", ...args], { ms: importMs });
    if (code !== 0) throw new Error(`ctr image ${args.join(" ")}: ${stderr}`);
  };
  const cpuBefore = await cpuSecondsBelow(daemon.child.pid);
  const started = performance.now();
  const over = new AbortController();
  const watched = peakUntil(daemon, over.signal);
  await run("import", archive);
  const wall = (performance.now() - started) / 1000;
  over.abort();
  const cpu = (await cpuSecondsBelow(daemon.child.pid)) - cpuBefore;
  const peak = await watched;
  await run("rm", "--sync", image);
  return { wall, cpu, peak };
}

async function peakUntil(daemon: Daemon, over: AbortSignal): Promise<number> {
  let peak = 0;
  while (!over.aborted) {
    const memory = await memoryBelow(daemon.child.pid).catch(() => []); // one of them ended just now
    peak = Math.max(
      peak,
      memory.reduce((sum, { anonymous }) => sum + anonymous, 0),
    );
    await pause(sampleMs);
  }
  return peak;
}
