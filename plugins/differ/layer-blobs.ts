import { join } from "node:path";
import { existsSync } from "node:fs";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { HostError, isHostError, type CallContext, type Peers } from "bulkhead/plugin";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { parseDigest } from "#proto/wire/digest.ts";
import { callOptionsOf } from "./call-options.ts";
import { sendChunks } from "./threads/chunk-port.ts";
import type { BlobSource } from "./threads/jobs.ts";

/** Answers for a namespace's blobs. */
export const namespacedContent = "io.containerd.grpc.v1.content";
/** Keeps them all. */
const store = "io.containerd.content.v1.content";
/** The package whose files may be opened: any other store may be far away, or keep them in its own way. */
const localPackage = "content";

/** A blob that a worker can read. Owns: what sends it, awaited on dispose. */
export interface LayerBlob extends AsyncDisposable {
  readonly source: BlobSource;
  /** Bytes. */
  readonly size: number;
  readonly transfer: readonly MessagePort[];
}

/**
 * Opens a blob for the caller's namespace: metadata says whether it may be seen, then its file is read where the store
 * is our own, and its bytes are streamed where it is not. Throws not-found.
 */
export async function openLayerBlob(peers: Peers, digest: string, context: CallContext): Promise<LayerBlob> {
  const content = peers.client(Content, namespacedContent);
  const options = callOptionsOf(context);
  const size = await sizeOf(content.info({ digest }, options));
  const path = localFile(peers, digest);
  if (path !== undefined) {
    return { source: { kind: "file", path }, size, transfer: [], [Symbol.asyncDispose]: async () => {} };
  }
  const { port1, port2 } = new MessageChannel();
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const sent = sendChunks(port1, bytesOf(content.read({ digest }, { ...options, signal })));
  return {
    source: { kind: "port", port: port2 },
    size,
    transfer: [port2],
    async [Symbol.asyncDispose]() {
      stop.abort(new HostError("canceled", "the layer is done with"));
      port1.close();
      await sent;
    },
  };
}

async function sizeOf(answer: Promise<{ info?: { size: bigint } | undefined }>): Promise<number> {
  try {
    const { info } = await answer;
    return Number(info?.size ?? 0n);
  } catch (cause) {
    if (!isHostError(cause)) throw cause;
    throw new HostError(cause.kind, `failed to get reader from content store: ${cause.message}`, { cause });
  }
}

function localFile(peers: Peers, digest: string): string | undefined {
  const peer = peers.find(store).find((each) => each.package === localPackage);
  const root = peer?.exports["root"];
  const parsed = parseDigest(digest);
  if (root === undefined || parsed === undefined) return undefined;
  const path = join(root, "blobs", parsed.algorithm, parsed.hex);
  return existsSync(path) ? path : undefined;
}

async function* bytesOf(answers: AsyncIterable<{ data: Uint8Array }>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { data } of answers) yield data;
}
