import type { CallContext } from "bulkhead/plugin";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";

/** For whom a content call is carried out, and until when. */
export interface Caller {
  readonly namespace: string;
  /** Lease that new objects join. */
  readonly lease: string | undefined;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number | undefined;
}

/** The part of a caller that back ends need; its lease stays here. */
export type BackEndCall = Pick<Caller, "namespace" | "signal" | "deadlineMs">;

/** Throws failed-precondition without a namespace, invalid-argument for a bad one. */
export function callerOf({ metadata, signal, deadlineMs }: CallContext): Caller {
  const lease = metadata[metadataKeys.lease] ?? "";
  return { namespace: namespaceOf(metadata), lease: lease === "" ? undefined : lease, signal, deadlineMs };
}
