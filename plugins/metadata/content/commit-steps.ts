import type { Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { classedError, HostError, isHostError, type ErrorKind } from "#proto/wire/errors.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";
import type { BackEndWriter } from "./back-end-writer.ts";
import type { ContentParts, SharedBlob } from "./begin.ts";
import type { Caller } from "../caller.ts";
import { checkLabels, dropCommit, finishCommit, prepareCommit, type CommitPlan } from "./commits.ts";
import { settleCommit, settleEarlier } from "./settlement.ts";

/** Answers after which nobody knows whether the store committed. */
const unknownOutcomes: readonly ErrorKind[] = ["unavailable", "canceled", "deadline-exceeded", "unknown", "internal"];

export interface CommitAttempt {
  readonly parts: ContentParts;
  readonly caller: Caller;
  /** The client's. */
  readonly ref: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What the client announced: size (0n: unknown) and digest ("": unknown). */
export interface Announced {
  readonly total: bigint;
  readonly expected: string;
}

/** Records a blob that another namespace uploaded. Throws already-exists, failed-precondition, invalid-argument. */
export async function commitShared(attempt: CommitAttempt, blob: SharedBlob, announced: Announced): Promise<void> {
  checkLabels(attempt.labels);
  checkSize(attempt.ref, blob.size, announced.total);
  if (announced.expected !== "" && announced.expected !== blob.digest) {
    throw classedError("failed-precondition", `"${attempt.ref}" unexpected digest`);
  }
  const { database } = attempt.parts;
  const plan = planOf(attempt, blob);
  await settleEarlier(attempt.parts, plan);
  const finish = await database.write((tx) => {
    checkShared(tx, plan);
    return finishCommit(tx, prepareCommit(tx, plan));
  });
  if (finish === "known") throw alreadyExists(blob.digest);
}

/**
 * Commits an ingest in both stores: the intent, the store's commit, the blob's record. An unknown outcome is settled
 * by asking the store. Throws already-exists, failed-precondition (the ingest stays), invalid-argument.
 */
export async function commitIngest(
  attempt: CommitAttempt,
  writer: BackEndWriter,
  { total, expected }: Announced,
): Promise<void> {
  checkLabels(attempt.labels);
  checkSize(attempt.ref, writer.offset, total);
  const { offset: size, digest } = writer;
  if (expected !== "" && expected !== digest) {
    throw classedError("failed-precondition", `unexpected commit digest ${digest}, expected ${expected}`);
  }
  const { database } = attempt.parts;
  const plan = planOf(attempt, { digest, size });
  await settleEarlier(attempt.parts, plan);
  const { parts } = attempt;
  const intent = await database.write((tx) => prepareCommit(tx, plan));
  // The same bytes may be just being deleted: from now on they are kept.
  await parts.removals.whenDone("content", digest);
  parts.onStep?.("intent-stored");
  await commitInStore(parts, writer, expected, intent);
  parts.onStep?.("store-committed");
  const finish = await database.write((tx) => finishCommit(tx, intent));
  parts.onStep?.("recorded");
  if (finish === "known") throw alreadyExists(digest);
}

/** Returns when the store has the blob, whoever brought it there. */
async function commitInStore(
  parts: ContentParts,
  writer: BackEndWriter,
  expected: string,
  intent: Intent,
): Promise<void> {
  try {
    await writer.commit(expected);
  } catch (error) {
    // The store has the blob from another namespace, which serves just as well.
    if (isHostError(error, "already-exists")) return;
    if (!isHostError(error) || unknownOutcomes.includes(error.kind)) {
      if ((await settleCommit(parts, intent, { undo: true })) === "finished") return;
    } else await parts.database.write((tx) => dropCommit(tx, intent));
    throw error;
  }
}

/** The record of this write is what keeps the other namespace's bytes. */
function checkShared(tx: Transaction, { namespace, ref, digest }: CommitPlan): void {
  if (tx.get(tables.ingest, [namespace, ref])?.shared === digest) return;
  throw new HostError("unavailable", `commit "${ref}": the write was collected meanwhile; begin it again`);
}

function checkSize(ref: string, actual: bigint, announced: bigint): void {
  if (announced !== 0n && announced !== actual) {
    throw classedError("failed-precondition", `"${ref}" failed size validation: ${actual} != ${announced}`);
  }
}

function planOf({ caller, ref, labels }: CommitAttempt, { digest, size }: SharedBlob): CommitPlan {
  return { namespace: caller.namespace, lease: caller.lease, ref, digest, size, labels };
}

function alreadyExists(digest: string): Error {
  return classedError("already-exists", `content ${digest}`);
}
