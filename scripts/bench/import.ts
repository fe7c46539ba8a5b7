import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { appendFile, copyFile, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import { createGunzip, gzipSync } from "node:zlib";
import { execa } from "execa";
import { ctr } from "../../test/harness/ctr.ts";
import type { Daemon } from "../../test/harness/stock-daemon.ts";
import { cpuSecondsBelow } from "./cpu.ts";
import { memoryBelow } from "./memory.ts";

const importMs = 600_000;
const tarBlockBytes = 512;
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

/**
 * Imports with the stock client, from a file to snapshots. The image stays: an ext4 without a journal makes files
 * slowly for half a minute after many were removed.
 */
export function measureImport(daemon: Daemon, { path }: Archive): Promise<ImportSample> {
  return measureClient(daemon, ["image", "import", path]);
}

/** What a command of the stock client takes the daemon. */
export async function measureClient(daemon: Daemon, args: readonly string[]): Promise<ImportSample> {
  const cpuBefore = await cpuSecondsBelow(daemon.child.pid);
  const started = performance.now();
  const over = new AbortController();
  const watched = peakUntil(daemon, over.signal);
  const { code, stderr } = await ctr(daemon.address, args, { ms: importMs });
  if (code !== 0) throw new Error(`ctr ${args.join(" ")}: ${stderr}`);
  const wall = (performance.now() - started) / 1000;
  over.abort();
  const cpu = (await cpuSecondsBelow(daemon.child.pid)) - cpuBefore;
  const peak = await watched;
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
