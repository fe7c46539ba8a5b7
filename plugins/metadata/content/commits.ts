import type { ContentCommit, Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { digestProblem } from "#proto/wire/digest.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import { validateLabels } from "#proto/wire/labels.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Reader } from "../../shared/database/reader.ts";
import { tables } from "../database/tables.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { intentCounter } from "../intents.ts";
import { joinLease } from "../lease-resources.ts";
import { ensureNamespace } from "../namespaces.ts";
import { storedLabels } from "../stored-labels.ts";
import { forgetIngest, storeRefOf } from "./ingests.ts";

/** A commit that is about to happen in the store. */
export interface CommitPlan {
  readonly namespace: string;
  readonly lease: string | undefined;
  /** The client's name of the ingest. */
  readonly ref: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: bigint;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * First transaction of a commit: stores what is about to happen, so that whoever finds it after a crash can ask the
 * store how far it came. An earlier commit of the same ingest must be settled before. Gives the intent.
 * Throws invalid-argument, and not-found for an unknown lease.
 */
export function prepareCommit(tx: Transaction, plan: CommitPlan): Intent {
  const { namespace, lease, ref, digest, size } = plan;
  checkLabels(plan.labels);
  if (digestProblem(digest) !== undefined) {
    throw classedError("invalid-argument", `commit "${ref}": the store names no digest but "${digest}"`);
  }
  if (lease !== undefined && !tx.has(tables.lease, [namespace, lease])) {
    throw classedError("not-found", "lease does not exist");
  }
  const sequence = tx.next(intentCounter);
  const storeRef = tx.get(tables.ingest, [namespace, ref])?.storeRef ?? storeRefOf(namespace, ref);
  const labels = storedLabels("", plan.labels);
  return tx.put(tables.contentIntent, [namespace, ref], {
    sequence,
    namespace,
    createdAt: timestampNow(),
    operation: {
      case: "contentCommit",
      value: { ref, storeRef, digest, size, labels, lease: lease ?? "" },
    },
  });
}

/** Labels of a new blob. Throws invalid-argument. */
export function checkLabels(labels: Readonly<Record<string, string>>): void {
  validateLabels("info.Labels", labels);
}

/** The open commit of an ingest. */
export function findCommit(reader: Reader, namespace: string, ref: string): Intent | undefined {
  return reader.get(tables.contentIntent, [namespace, ref]);
}

/** Every open commit, for settling. */
export function listCommits(reader: Reader): Intent[] {
  return Array.from(reader.range(tables.contentIntent, []), ({ value }) => value);
}

/** What the second transaction found: nothing, the same blob in the namespace, or that someone had settled it. */
export type Finish = "recorded" | "known" | "settled";

/**
 * Second transaction: the blob becomes visible in the namespace, the ingest and the intent are gone. A lease that was
 * deleted meanwhile keeps nothing.
 */
export function finishCommit(tx: Transaction, intent: Intent): Finish {
  const { namespace } = intent;
  const commit = commitOf(intent);
  if (!isOpen(tx, intent)) return "settled";
  const known = tx.has(tables.blob, [namespace, commit.digest]);
  if (!known) putBlob(tx, namespace, commit);
  const lease = commit.lease === "" ? undefined : commit.lease;
  forgetIngest(tx, { namespace, lease }, commit.ref);
  if (lease !== undefined && tx.has(tables.lease, [namespace, lease])) {
    joinLease(tx, namespace, lease, { type: "content", id: commit.digest });
  }
  return known ? "known" : "recorded";
}

/** Undoes the first transaction; the ingest stays and can be committed again. */
export function dropCommit(tx: Transaction, intent: Intent): void {
  if (isOpen(tx, intent)) tx.remove(tables.contentIntent, [intent.namespace, commitOf(intent).ref]);
}

function isOpen(reader: Reader, intent: Intent): boolean {
  return findCommit(reader, intent.namespace, commitOf(intent).ref)?.sequence === intent.sequence;
}

/** Whether this number was given to an intent once. */
export function wasIssued(reader: Reader, sequence: bigint): boolean {
  return sequence > 0n && sequence <= (reader.get(tables.sequence, [intentCounter])?.last ?? 0n);
}

/** What an intent is about to do. */
export function commitOf({ operation, sequence }: Intent): ContentCommit {
  if (operation.case !== "contentCommit") {
    throw new HostError("data-loss", `intent ${sequence} of the metadata database names no operation`);
  }
  return operation.value;
}

function putBlob(tx: Transaction, namespace: string, { digest, size, labels }: ContentCommit): void {
  ensureNamespace(tx, namespace);
  const now = timestampNow();
  tx.put(tables.blob, [namespace, digest], { digest, size, labels, createdAt: now, updatedAt: now });
}
