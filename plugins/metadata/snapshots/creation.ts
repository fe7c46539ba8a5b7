import type { Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import type { Info } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";
import { dropTrash, putTrash } from "../gc/trash.ts";
import { joinLease } from "../lease-resources.ts";
import { ensureNamespace, traceOf } from "../namespaces.ts";
import {
  backEndKeyOf,
  checkLease,
  checkNameFree,
  createOf,
  isOpen,
  putIntent,
  removeIntent,
  scopeOf,
} from "./intents.ts";
import { addChild, findSnapshot, putSnapshot, refLabel, removeChild, type SnapshotScope } from "./snapshots.ts";

/** A snapshot that a client wants prepared or viewed. */
export interface CreatePlan {
  readonly scope: SnapshotScope;
  readonly lease: string | undefined;
  readonly key: string;
  /** The client's name; "": none. */
  readonly parent: string;
  readonly labels: Readonly<Record<string, string>>;
  /** For the back end's key. */
  readonly number: bigint;
}

/**
 * First transaction of Prepare and View, of no use after a crash: reserves the key (containerd metadata/snapshot.go,
 * createSnapshot).
 * Throws already-exists for a taken key or target, not-found for a parent or lease that is none.
 */
export function beginCreate(tx: Transaction, { scope, lease, key, parent, labels, number }: CreatePlan): Intent {
  const target = labels[refLabel] ?? "";
  if (target !== "" && findSnapshot(tx, scope, target) !== undefined) {
    throw classedError("already-exists", `target snapshot ${quote(target)}`);
  }
  checkNameFree(tx, scope, key);
  const above = parent === "" ? undefined : findSnapshot(tx, scope, parent);
  if (parent !== "" && above === undefined) {
    throw classedError("not-found", `parent snapshot ${parent} does not exist`);
  }
  if (key === "") throw new HostError("unknown", "bucket name required");
  checkLease(tx, scope.namespace, lease);
  addChild(tx, scope, parent, key); // a parent that is about to have a child is not removed
  return putIntent(tx, scope, key, {
    case: "snapshotCreate",
    value: {
      $typeName: "bulkhead.metadata.v1.SnapshotCreate",
      snapshotter: scope.snapshotter,
      key,
      parent,
      backEndKey: backEndKeyOf(scope, number, key),
      backEndParent: above?.backEndKey ?? "",
      labels: { ...labels },
      lease: lease ?? "",
    },
  });
}

/** Second transaction: the snapshot is there. Throws not-found for a lease that was deleted meanwhile. */
export function finishCreate(tx: Transaction, intent: Intent): void {
  const create = openCreate(tx, intent);
  const now = timestampNow();
  joinLease(tx, intent.namespace, leaseOf(create), { type: `snapshots/${create.snapshotter}`, id: create.key });
  removeIntent(tx, intent);
  traceSnapshotter(tx, scopeOf(intent));
  putSnapshot(tx, scopeOf(intent), { ...create, createdAt: now, updatedAt: now });
}

/**
 * Second transaction when the back end has the target of the snapshot's ref label already: that is recorded under the
 * target's name, and the key is free again. Throws already-exists, not-found, invalid-argument.
 */
export function adoptTarget(tx: Transaction, intent: Intent, target: string, found: Info): void {
  const create = openCreate(tx, intent);
  const scope = scopeOf(intent);
  checkNameFree(tx, scope, target);
  if (found.parent !== create.backEndParent) {
    throw classedError("invalid-argument", `mismatched parent ${create.parent} from target ${target}`);
  }
  joinLease(tx, intent.namespace, leaseOf(create), { type: `snapshots/${create.snapshotter}`, id: target });
  dropCreate(tx, intent);
  dropTrash(tx, `snapshots/${create.snapshotter}`, found.name);
  const now = timestampNow();
  traceSnapshotter(tx, scope);
  putSnapshot(tx, scope, {
    key: target,
    parent: create.parent,
    backEndKey: found.name,
    labels: { ...found.labels, ...create.labels },
    createdAt: found.createdAt ?? now,
    updatedAt: found.updatedAt ?? now,
  });
}

/** Undoes the first transaction: the back end has nothing of it. */
export function dropCreate(tx: Transaction, intent: Intent): void {
  if (!isOpen(tx, intent)) return;
  const { key, parent } = createOf(intent);
  removeIntent(tx, intent);
  removeChild(tx, scopeOf(intent), parent, key);
}

/** The same when the back end has it: its snapshot goes into the trash. */
export function undoCreate(tx: Transaction, intent: Intent): void {
  if (!isOpen(tx, intent)) return;
  const { snapshotter, backEndKey, backEndParent } = createOf(intent);
  dropCreate(tx, intent);
  putTrash(tx, `snapshots/${snapshotter}`, backEndKey, backEndParent);
}

function openCreate(tx: Transaction, intent: Intent) {
  const create = createOf(intent);
  if (isOpen(tx, intent)) return create;
  throw new HostError(
    "unavailable",
    `snapshot ${quote(create.key)}: its namespace or its key was taken away meanwhile`,
  );
}

function leaseOf({ lease }: { readonly lease: string }): string | undefined {
  return lease === "" ? undefined : lease;
}

function traceSnapshotter(tx: Transaction, { namespace, snapshotter }: SnapshotScope): void {
  ensureNamespace(tx, namespace);
  const trace = traceOf(tx, namespace);
  if (trace.snapshotters.includes(snapshotter)) return;
  const snapshotters = [...trace.snapshotters, snapshotter].sort();
  tx.put(tables.namespaceTrace, [namespace], { ...trace, snapshotters });
}
