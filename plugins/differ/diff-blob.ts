import { randomBytes } from "node:crypto";
import { MessageChannel } from "node:worker_threads";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { classedError, HostError, isHostError, type CallContext, type Client, type Peers } from "bulkhead/plugin";
import {
  Content,
  WriteAction,
  type WriteContentRequestSchema,
} from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import type { DiffRequest } from "#proto/gen/containerd/services/diff/v1/diff_pb.ts";
import { freeChunk } from "./apply/free-chunk.ts";
import { callOptionsOf } from "./call-options.ts";
import { namespacedContent } from "./layer-blobs.ts";
import { plainMount } from "./plain-mount.ts";
import { layerGzip, layerTar, layerZstd } from "./processors/media-types.ts";
import { receiveChunks } from "./threads/chunk-port.ts";
import type { CompareJob, LayerFacts } from "./threads/jobs.ts";
import type { Workers } from "./threads/workers.ts";

const uncompressedLabel = "containerd.io/uncompressed";

type WriteRequest = MessageInitShape<typeof WriteContentRequestSchema>;

/** What writing one diff needs. */
export interface DiffBlobJob {
  readonly peers: Peers;
  readonly workers: Workers;
  readonly tempMounts: string;
  readonly request: DiffRequest;
  readonly context: CallContext;
}

interface Written {
  readonly digest: string;
  readonly size: number;
  readonly uncompressed: string;
}

/** Makes a layer of two trees and stores it for the caller's namespace (diff/walking/differ.go); gives its descriptor. */
export async function writeDiffBlob(job: DiffBlobJob) {
  const { peers, request, context } = job;
  const mediaType = request.mediaType === "" ? layerGzip : request.mediaType;
  const compression = compressionFor(mediaType);
  const client = peers.client(Content, namespacedContent);
  const isNew = request.ref === "";
  const ref = isNew ? `${process.hrtime.bigint()}-${randomBytes(3).toString("base64url")}` : request.ref;
  try {
    const { digest, size, uncompressed } = await writeLayer(job, client, ref, compression);
    if (compression !== "none") await labelBlob(client, digest, uncompressed, context);
    return { mediaType, digest, size: BigInt(size) };
  } catch (error) {
    // Nobody knows the name to go on with.
    if (isNew) await abandon(client, ref, context);
    throw error;
  }
}

function compressionFor(mediaType: string): CompareJob["compression"] {
  if (mediaType === layerTar) return "none";
  if (mediaType === layerGzip) return "gzip";
  if (mediaType === layerZstd) return "zstd";
  throw classedError("unimplemented", `unsupported diff media type: ${mediaType}`);
}

async function writeLayer(
  { workers, tempMounts, request, context }: DiffBlobJob,
  client: Client<typeof Content>,
  ref: string,
  compression: CompareJob["compression"],
): Promise<Written> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const { port1, port2 } = new MessageChannel();
  const lower = request.left.map(plainMount);
  const upper = request.right.map(plainMount);
  const epoch = request.sourceDateEpoch;
  const latestSeconds = epoch === undefined ? undefined : Number(epoch.seconds);
  const job = { kind: "compare", lower, upper, compression, tempMounts, latestSeconds, output: port2 } as const;
  const facts = workers.run(job, { signal, transfer: [port2] });
  facts.catch(() => port1.close()); // awaited below; without its thread nothing more comes
  try {
    const labels = { ...request.labels };
    const requests = requestsOf(ref, receiveChunks(port1), facts, (uncompressed) => {
      if (compression !== "none") labels[uncompressedLabel] = uncompressed;
      return labels;
    });
    await upload(client, requests, context);
  } catch (error) {
    stop.abort(new HostError("aborted", "the layer could not be stored"));
    port1.close();
    // What the thread failed with is the cause when it failed first.
    const own = await facts.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    throw isHostError(own) && !isHostError(own, "aborted") && !context.signal.aborted ? own : error;
  }
  const { digest, written = { digest, size: 0 } } = await facts;
  return { ...written, uncompressed: digest };
}

async function* requestsOf(
  ref: string,
  chunks: AsyncIterable<Buffer>,
  facts: Promise<LayerFacts>,
  labelsFor: (uncompressed: string) => Record<string, string>,
): AsyncGenerator<WriteRequest, void, undefined> {
  yield { action: WriteAction.STAT, ref };
  let offset = 0n;
  for await (const data of chunks) {
    // The first at offset 0 cuts off what an earlier attempt left.
    const bytes = BigInt(data.length);
    yield { action: WriteAction.WRITE, offset, data };
    offset += bytes;
    freeChunk(data); // it was sent
  }
  const { digest, written } = await facts;
  const expected = written?.digest ?? "";
  yield { action: WriteAction.COMMIT, offset, total: offset, expected, labels: labelsFor(digest) };
}

/** That the blob is there already is as good. */
async function upload(
  client: Client<typeof Content>,
  requests: AsyncIterable<WriteRequest>,
  context: CallContext,
): Promise<void> {
  try {
    for await (const answer of client.write(requests, callOptionsOf(context))) void answer;
  } catch (error) {
    if (!isHostError(error, "already-exists")) throw error;
  }
}

/** For a blob that was there before, without its label. */
async function labelBlob(
  client: Client<typeof Content>,
  digest: string,
  uncompressed: string,
  context: CallContext,
): Promise<void> {
  const options = callOptionsOf(context);
  const { info } = await client.info({ digest }, options);
  if (info?.labels[uncompressedLabel] !== undefined) return;
  const labels = { [uncompressedLabel]: uncompressed };
  await client.update({ info: { digest, labels }, updateMask: { paths: [`labels.${uncompressedLabel}`] } }, options);
}

async function abandon(client: Client<typeof Content>, ref: string, context: CallContext): Promise<void> {
  const { metadata } = callOptionsOf(context);
  // Not with the caller's signal, which may be why. The ingest expires where this fails.
  await client.abort({ ref }, { metadata, waitForReady: false }).catch(() => {});
}
