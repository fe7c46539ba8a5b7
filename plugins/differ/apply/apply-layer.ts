import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { HostError } from "#proto/wire/errors.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { boundFolder, overlayFolders } from "../mounts/overlay.ts";
import { TempMount } from "../mounts/temp-mount.ts";
import { decompressed } from "../processors/decompress.ts";
import { throughProgram } from "../processors/program.ts";
import { TarReader } from "../tar/tar-reader.ts";
import { receiveChunks } from "../threads/chunk-port.ts";
import type { ApplyJob, BlobSource, LayerFacts } from "../threads/jobs.ts";
import { diskError } from "./disk-errors.ts";
import { freeChunk } from "./free-chunk.ts";
import { LayerWriter, type LayerTarget, type OnIgnored } from "./layer-writer.ts";
import type { ApplyLimits } from "./limits.ts";
import { isUserNamespace } from "./user-namespace.ts";

/** Things that are ignored in one layer and told of. */
const ignoredLimit = 20;
/** Bytes of a blob read at once. */
const readBytes = 256 * 1024;

/**
 * Unpacks a blob onto mounts (diff/apply/apply.go): gives size and digest of all that its processors put out, which is
 * its diff id. When it throws the tree is left as far as it came; the mounts are gone in any case. Blocks the thread.
 */
export async function applyLayer(job: ApplyJob, onIgnored: OnIgnored, signal: AbortSignal): Promise<LayerFacts> {
  let writer: LayerWriter | undefined;
  try {
    using stack = new DisposableStack();
    const target = targetOf(job, stack);
    writer = stack.use(new LayerWriter(target, job.limits, firstOf(onIgnored)));
    return await unpack(job, writer, signal);
  } catch (error) {
    signal.throwIfAborted();
    const entry = writer?.entryName;
    throw diskError(entry === undefined ? "unpack the layer" : `unpack the layer, at ${quote(entry)}`, error);
  }
}

/** A layer may have millions of what is ignored. */
function firstOf(onIgnored: OnIgnored): OnIgnored {
  let told = 0;
  return (what) => {
    if (told < ignoredLimit) onIgnored(what);
    else if (told === ignoredLimit) onIgnored("and more of the kind");
    told++;
  };
}

/** One overlay is written below, one folder that is bound directly; anything else is mounted. */
function targetOf({ mounts, tempMounts }: ApplyJob, stack: DisposableStack): LayerTarget {
  if (mounts.length === 0) throw new HostError("invalid-argument", "unpack the layer: no mounts were given");
  const overlay = overlayFolders(mounts);
  if (overlay !== undefined && !isUserNamespace())
    return { root: overlay.upper, overlay: true, lowers: overlay.lowers };
  const root = boundFolder(mounts, "writable") ?? stack.use(new TempMount(tempMounts, mounts)).path;
  return { root, overlay: false, lowers: [] };
}

async function unpack(job: ApplyJob, writer: LayerWriter, signal: AbortSignal): Promise<LayerFacts> {
  const reader = new TarReader(writer, job.limits);
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of processed(job, signal)) {
    signal.throwIfAborted();
    size += chunk.length;
    checkRatio(size, job.blobBytes, job.limits);
    hash.update(chunk);
    reader.push(chunk);
    freeChunk(chunk);
  }
  signal.throwIfAborted();
  reader.finish();
  writer.end({ sync: job.sync });
  return { size, digest: `sha256:${hash.digest("hex")}` };
}

function processed({ blob, steps }: ApplyJob, signal: AbortSignal): AsyncIterable<Buffer> {
  let source = bytesOf(blob);
  for (const step of steps) {
    source = step.kind === "program" ? throughProgram(source, step, signal) : decompressed(source);
  }
  return source;
}

function bytesOf(blob: BlobSource): AsyncIterable<Buffer> {
  if (blob.kind === "port") return receiveChunks(blob.port);
  return createReadStream(blob.path, { highWaterMark: readBytes }) as AsyncIterable<Buffer>;
}

function checkRatio(size: number, blobBytes: number, { ratio, ratioFromBytes }: ApplyLimits): void {
  if (size <= ratioFromBytes || size <= blobBytes * ratio) return;
  throw new HostError(
    "resource-exhausted",
    `the layer of ${blobBytes} bytes unpacks to more than ${ratio} times as many; raise max_ratio of the walking ` +
      "differ if it is to be trusted",
  );
}
