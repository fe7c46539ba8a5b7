import { digestProblem } from "#proto/wire/digest.ts";
import { classedError } from "#proto/wire/errors.ts";
import type { Database } from "../../shared/database/database.ts";
import { dropTrash } from "../gc/trash.ts";
import type { Removals } from "../gc/removals.ts";
import type { ContentBackEnd } from "./back-end.ts";
import type { BlobLosses } from "./blob-losses.ts";
import { hasBlob } from "./blobs.ts";
import type { Caller } from "../caller.ts";
import { tables } from "../database/tables.ts";
import { leaseKnownBlob, openIngest, storeRefOf } from "./ingests.ts";

/** What the first message of a write says. */
export interface WriteStart {
  /** Not empty. */
  readonly ref: string;
  /** Bytes announced; 0n: unknown. */
  readonly total: bigint;
  /** Digest announced; "": unknown. */
  readonly expected: string;
}

/** A write that may go on. */
export interface BegunWrite {
  /** Name of the ingest in the store. */
  readonly storeRef: string;
  /** A blob of another namespace that needs no upload. */
  readonly shared: SharedBlob | undefined;
}

export interface SharedBlob {
  readonly digest: string;
  /** Bytes. */
  readonly size: bigint;
}

/** What content calls work with. */
export interface ContentParts {
  readonly database: Database;
  readonly backEnd: ContentBackEnd;
  /** Tells the content package how long a permit to read holds. */
  readonly losses: BlobLosses;
  /** Whether a namespace may have what another uploaded; `content_sharing_policy`. */
  readonly shares: boolean;
  readonly removals: Removals;
  /** Hears of each step of a commit; tests end the process there. */
  readonly onStep?: (step: CommitStep) => void;
}

/** What is on disk: the intent, the blob in the store, the blob's record. */
export type CommitStep = "intent-stored" | "store-committed" | "recorded";

/**
 * Opens (or resumes) an ingest for a client (containerd metadata/content.go, Writer): both the relay and the content
 * package go through here. Throws already-exists when the namespace has the blob, which joins the lease all the same,
 * and not-found for an unknown lease.
 */
export async function beginWrite(parts: ContentParts, caller: Caller, start: WriteStart): Promise<BegunWrite> {
  const { database } = parts;
  const { ref, expected } = start;
  if (hasBlob(database, caller.namespace, expected)) {
    const known = await database.write((tx) => leaseKnownBlob(tx, caller, expected));
    if (known) throw classedError("already-exists", `content ${expected}`);
  }
  await clearCollected(parts, caller, ref);
  const found = await findShared(parts, caller, start);
  const begun = await database.write((tx) => {
    if (leaseKnownBlob(tx, caller, expected)) return undefined;
    // One that is being collected at this moment has to be uploaded again.
    const shared = found === undefined || parts.removals.has("content", found.digest) ? undefined : found;
    return { storeRef: openIngest(tx, caller, ref, shared?.digest ?? "").storeRef, shared };
  });
  if (begun === undefined) throw classedError("already-exists", `content ${expected}`);
  return begun;
}

/**
 * An upload that was collected, but not deleted because someone was still at it, is deleted before the next one begins
 * under its ref. One whose turn has not come is resumed, as in containerd.
 */
async function clearCollected(parts: ContentParts, caller: Caller, ref: string): Promise<void> {
  const { database, backEnd, removals } = parts;
  const storeRef = storeRefOf(caller.namespace, ref);
  while (removals.has("ingests", storeRef)) await removals.whenDone("ingests", storeRef);
  if (database.get(tables.trash, ["ingests", storeRef])?.deferred !== true) return;
  removals.begin("ingests", storeRef);
  try {
    await backEnd.abort(storeRef, caller);
    await database.write((tx) => dropTrash(tx, "ingests", storeRef));
  } finally {
    removals.end("ingests", storeRef);
  }
}

/** A blob of another size is likely a mistake, which shows at the commit: then the bytes are uploaded. */
async function findShared(
  { backEnd, shares }: ContentParts,
  caller: Caller,
  { total, expected }: WriteStart,
): Promise<SharedBlob | undefined> {
  if (!shares || digestProblem(expected) !== undefined) return undefined;
  const info = await backEnd.info(expected, caller);
  if (info === undefined || (total !== 0n && total !== info.size)) return undefined;
  return { digest: expected, size: info.size };
}
