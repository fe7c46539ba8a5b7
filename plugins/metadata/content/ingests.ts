import type { Ingest } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { classedError, HostError, isHostError } from "#proto/wire/errors.ts";
import { nanosOf, timestampFromNanos, timestampNow } from "#proto/wire/timestamp.ts";
import type { Reader } from "../../shared/database/reader.ts";
import { tables } from "../database/tables.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { joinLease, leaveLease } from "../lease-resources.ts";
import { ensureNamespace } from "../namespaces.ts";
import { hasBlob } from "./blobs.ts";

/** How long an ingest that no lease keeps is safe from collection. */
export const expiryNanos = 24n * 60n * 60n * 1_000_000_000n;

interface Owner {
  readonly namespace: string;
  readonly lease: string | undefined;
}

/** Throws not-found. */
export function getIngest(reader: Reader, namespace: string, ref: string): Ingest {
  const ingest = reader.get(tables.ingest, [namespace, ref]);
  if (ingest === undefined) throw classedError("not-found", `reference ${ref}`);
  return ingest;
}

/**
 * The store's name of an ingest: never the client's bare. containerd takes the number from a counter of the ref's
 * own bucket, which is 1 always.
 */
export function storeRefOf(namespace: string, ref: string): string {
  return `${namespace}/1/${ref}`;
}

/**
 * A blob that the namespace has already joins the call's lease; gives whether it has it. Throws not-found for an
 * unknown lease.
 */
export function leaseKnownBlob(tx: Transaction, { namespace, lease }: Owner, digest: string): boolean {
  if (!hasBlob(tx, namespace, digest)) return false;
  try {
    joinLease(tx, namespace, lease, { type: "content", id: digest });
  } catch (cause) {
    if (!isHostError(cause)) throw cause;
    throw new HostError(cause.kind, `unable to lease content: ${cause.message}`, { cause });
  }
  return true;
}

/**
 * Records an ingest, or takes up the recorded one, and adds it to the call's lease. `shared` is the digest of a blob
 * that another namespace has, "" for none. Throws not-found for an unknown lease.
 */
export function openIngest(tx: Transaction, { namespace, lease }: Owner, ref: string, shared: string): Ingest {
  ensureNamespace(tx, namespace);
  joinLease(tx, namespace, lease, { type: "ingests", id: ref });
  const stored = tx.get(tables.ingest, [namespace, ref]);
  return tx.put(tables.ingest, [namespace, ref], {
    ref,
    storeRef: stored?.storeRef ?? storeRefOf(namespace, ref),
    shared,
    ...(lease === undefined && { expiresAt: timestampFromNanos(nanosOf(timestampNow()) + expiryNanos) }),
  });
}

/** Forgets an ingest and its open commit, and takes it from the call's lease. */
export function forgetIngest(tx: Transaction, { namespace, lease }: Owner, ref: string): void {
  tx.remove(tables.ingest, [namespace, ref]);
  tx.remove(tables.contentIntent, [namespace, ref]);
  leaveLease(tx, namespace, lease, { type: "ingests", id: ref });
}
