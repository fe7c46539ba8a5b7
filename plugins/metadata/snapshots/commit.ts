import type { Intent, SnapshotCommit } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { SnapshotCommitSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";
import { joinLease, leaveLease } from "../lease-resources.ts";
import { traceOf } from "../namespaces.ts";
import {
  backEndKeyOf,
  checkLease,
  checkNameFree,
  commitOf,
  findIntent,
  isOpen,
  operationOf,
  putIntent,
  removeIntent,
  scopeOf,
} from "./intents.ts";
import { findSnapshot, forgetSnapshot, getSnapshot, putSnapshot, type SnapshotScope } from "./snapshots.ts";

/** An active snapshot that a client wants committed. */
export interface CommitPlan {
  readonly scope: SnapshotScope;
  readonly lease: string | undefined;
  readonly name: string;
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  /** For the back end's name. */
  readonly number: bigint;
}

/**
 * First transaction of Commit: reserves the name. An earlier try of the same commit, which the snapshotter has not
 * carried out so far, is taken up under the same back-end name: should that one come through after all, it is this
 * one. Throws not-found, already-exists.
 */
export function beginCommit(tx: Transaction, plan: CommitPlan): Intent {
  const { scope, lease, name, key, labels, number } = plan;
  if (!traceOf(tx, scope.namespace).snapshotters.includes(scope.snapshotter)) {
    throw classedError("not-found", `can not find snapshotter ${quote(scope.snapshotter)}`);
  }
  checkLease(tx, scope.namespace, lease);
  const earlier = earlierTry(tx, plan);
  if (earlier === undefined) checkNameFree(tx, scope, name);
  const active = getSnapshot(tx, scope, key);
  if (name === "") throw new HostError("unknown", "bucket name required");
  return putIntent(tx, scope, name, {
    case: "snapshotCommit",
    value: {
      $typeName: "bulkhead.metadata.v1.SnapshotCommit",
      snapshotter: scope.snapshotter,
      name,
      key,
      backEndName: earlier?.backEndName ?? backEndKeyOf(scope, number, name),
      backEndKey: active.backEndKey,
      labels: { ...labels },
      lease: lease ?? "",
    },
  });
}

/** The open commit of the same key to the same name. */
export function earlierTry(
  tx: Transaction,
  { scope, name, key }: Pick<CommitPlan, "scope" | "name" | "key">,
): SnapshotCommit | undefined {
  const open = findIntent(tx, scope, name);
  if (open === undefined) return undefined;
  const { case: kind, value } = operationOf(open);
  return kind === "snapshotCommit" && value.key === key ? value : undefined;
}

/** Second transaction: the name is there, the key is gone. False: someone had settled it. */
export function finishCommit(tx: Transaction, intent: Intent): boolean {
  if (!isOpen(tx, intent)) return false;
  const { snapshotter, name, key, backEndName, labels, lease } = commitOf(intent);
  const scope = scopeOf(intent);
  removeIntent(tx, intent);
  tx.publish(intent.namespace, "/snapshot/commit", SnapshotCommitSchema, { key, name });
  const active = findSnapshot(tx, scope, key);
  if (active !== undefined) forgetSnapshot(tx, scope, active);
  const now = timestampNow();
  const parent = active?.parent ?? "";
  putSnapshot(tx, scope, { key: name, parent, backEndKey: backEndName, labels, createdAt: now, updatedAt: now });
  const type = `snapshots/${snapshotter}`;
  // A lease that was deleted meanwhile keeps nothing.
  if (lease !== "" && tx.has(tables.lease, [intent.namespace, lease])) {
    joinLease(tx, intent.namespace, lease, { type, id: name });
    leaveLease(tx, intent.namespace, lease, { type, id: key });
  }
  return true;
}

/** Undoes the first transaction: the snapshot is active still. */
export function dropCommit(tx: Transaction, intent: Intent): void {
  if (isOpen(tx, intent)) removeIntent(tx, intent);
}
