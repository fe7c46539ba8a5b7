import { closeSync, constants, openSync } from "node:fs";
import { createHash } from "node:crypto";
import { createGzip, createZstdCompress } from "node:zlib";
import { diskError } from "../apply/disk-errors.ts";
import { boundFolder, readonlyMounts, type MountSpec } from "../mounts/overlay.ts";
import { TempMount } from "../mounts/temp-mount.ts";
import { through } from "../processors/through.ts";
import { sendChunks } from "../threads/chunk-port.ts";
import type { CompareJob, LayerFacts } from "../threads/jobs.ts";
import { changesBetween } from "./changes.ts";
import { LayerTar } from "./layer-tar.ts";

/** Bytes of one piece of the archive: small entries are gathered. */
const pieceBytes = 256 * 1024;

/** Bytes that came by, and their hash. */
class Tally {
  readonly #hash = createHash("sha256");
  #size = 0;

  async *of(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of source) {
      this.#hash.update(chunk);
      this.#size += chunk.length;
      yield chunk;
    }
  }

  facts(): { digest: string; size: number } {
    return { digest: `sha256:${this.#hash.digest("hex")}`, size: this.#size };
  }
}

/** Writes a layer of what `upper` has changed against `lower` to the job's port (diff/walking/differ.go). */
export async function compareTrees(job: CompareJob, signal: AbortSignal): Promise<LayerFacts> {
  try {
    using stack = new DisposableStack();
    const lower = openTree(job.lower, job.tempMounts, stack);
    const upper = openTree(readonlyMounts(job.upper), job.tempMounts, stack);
    const { latestSeconds } = job;
    const layer = new LayerTar({ whiteoutSeconds: latestSeconds ?? Math.round(Date.now() / 1000), latestSeconds });
    const plain = new Tally();
    const written = new Tally();
    const pieces = plain.of(gathered(layer.bytes(changesBetween(lower, upper)), signal));
    let failure: unknown;
    await sendChunks(
      job.output,
      noting(written.of(compressed(pieces, job.compression)), (error) => (failure = error)),
    );
    signal.throwIfAborted();
    if (failure !== undefined) throw failure as Error;
    return { ...plain.facts(), written: written.facts() };
  } catch (error) {
    throw diskError("compare the trees", error);
  }
}

/** A descriptor of the tree that mounts show, of the folder itself where that is the same. */
function openTree(mounts: readonly MountSpec[], tempMounts: string, stack: DisposableStack): number {
  const path = boundFolder(mounts, "readable") ?? stack.use(new TempMount(tempMounts, mounts)).path;
  return stack.adopt(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY), closeSync);
}

function compressed(source: AsyncIterable<Buffer>, how: CompareJob["compression"]): AsyncIterable<Buffer> {
  if (how === "none") return source;
  return through(source, how === "gzip" ? createGzip({ chunkSize: pieceBytes }) : createZstdCompress());
}

/** Copies into pieces of one size, in memory of their own that can be handed on; ends when the caller has gone. */
async function* gathered(source: Iterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  let piece = Buffer.allocUnsafeSlow(pieceBytes);
  let used = 0;
  for (const part of source) {
    for (let at = 0; at < part.length; ) {
      const copied = part.copy(piece, used, at);
      at += copied;
      used += copied;
      if (used < pieceBytes) continue;
      signal.throwIfAborted();
      yield piece;
      piece = Buffer.allocUnsafeSlow(pieceBytes);
      used = 0;
    }
  }
  if (used > 0) yield piece.subarray(0, used);
}

/** Lets an error pass, having told of it. */
async function* noting(
  source: AsyncIterable<Buffer>,
  tell: (error: unknown) => void,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* source;
  } catch (error) {
    tell(error);
    throw error;
  }
}
