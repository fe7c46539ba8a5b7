import type { CallContext } from "bulkhead/plugin";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";

/** Answers for a namespace's blobs. */
export const contentPlugin = "io.containerd.grpc.v1.content";

/** A call to a peer or a shim on behalf of one that is served: namespace, lease, deadline and cancellation. */
export interface PeerCall {
  readonly metadata: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number | undefined;
}

export function peerCallOf({ metadata, signal, deadlineMs }: CallContext): PeerCall {
  const passed = [metadataKeys.namespace, metadataKeys.lease].flatMap((key) => {
    const value = metadata[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return { metadata: Object.fromEntries(passed), signal, deadlineMs };
}
