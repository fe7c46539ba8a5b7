import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Snapshot } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { classedError } from "#proto/wire/errors.ts";
import type { Reader } from "../../shared/database/reader.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";
import { putTrash } from "../gc/trash.ts";
import { leaveLease } from "../lease-resources.ts";
import { ensureNamespace } from "../namespaces.ts";
import { storedLabels } from "../stored-labels.ts";

/** A snapshot's place: names are a namespace's own, for each snapshotter. */
export interface SnapshotScope {
  readonly namespace: string;
  readonly snapshotter: string;
}

/** Label that names the committed snapshot which a remote snapshotter may have already. */
export const refLabel = "containerd.io/snapshot.ref";
const inheritedPrefix = "containerd.io/snapshot/";

/** The labels that a snapshotter gets to see. */
export function inheritedLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).filter(([key]) => key === refLabel || key.startsWith(inheritedPrefix)),
  );
}

export function findSnapshot(reader: Reader, scope: SnapshotScope, key: string): Snapshot | undefined {
  return reader.get(tables.snapshot, [scope.namespace, scope.snapshotter, key]);
}

/** Throws not-found in containerd's words. */
export function getSnapshot(reader: Reader, scope: SnapshotScope, key: string): Snapshot {
  const snapshot = findSnapshot(reader, scope, key);
  if (snapshot === undefined) throw classedError("not-found", `snapshot ${key} does not exist`);
  return snapshot;
}

/** Whether a snapshot has children, or may have one in a moment. */
export function hasChildren(reader: Reader, { namespace, snapshotter }: SnapshotScope, key: string): boolean {
  for (const _ of reader.range(tables.snapshotChild, [namespace, snapshotter, key])) return true;
  return false;
}

export function addChild(tx: Transaction, scope: SnapshotScope, parent: string, child: string): void {
  if (parent !== "") tx.put(tables.snapshotChild, [scope.namespace, scope.snapshotter, parent, child], {});
}

export function removeChild(tx: Transaction, scope: SnapshotScope, parent: string, child: string): void {
  if (parent !== "") tx.remove(tables.snapshotChild, [scope.namespace, scope.snapshotter, parent, child]);
}

/** A snapshot to record. */
export interface SnapshotFields {
  readonly key: string;
  readonly parent: string;
  readonly backEndKey: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
}

/** Records a snapshot, new or changed, with what finds it by its parent and by its back end's key. */
export function putSnapshot(tx: Transaction, scope: SnapshotScope, fields: SnapshotFields): Snapshot {
  const { namespace, snapshotter } = scope;
  const { key, parent, backEndKey } = fields;
  const labels = storedLabels("", fields.labels);
  ensureNamespace(tx, namespace);
  addChild(tx, scope, parent, key);
  tx.put(tables.snapshotUse, [snapshotter, backEndKey, namespace, key], {});
  return tx.put(tables.snapshot, [namespace, snapshotter, key], { ...fields, snapshotter, labels });
}

/** Forgets a snapshot that lives on in the back end, under another name or another namespace's. */
export function forgetSnapshot(tx: Transaction, scope: SnapshotScope, { key, parent, backEndKey }: Snapshot): void {
  const { namespace, snapshotter } = scope;
  tx.remove(tables.snapshot, [namespace, snapshotter, key]);
  tx.remove(tables.snapshotUse, [snapshotter, backEndKey, namespace, key]);
  removeChild(tx, scope, parent, key);
}

/** Forgets a snapshot and puts the back end's into the trash. */
export function discardSnapshot(tx: Transaction, scope: SnapshotScope, snapshot: Snapshot): void {
  const above = snapshot.parent === "" ? undefined : findSnapshot(tx, scope, snapshot.parent);
  forgetSnapshot(tx, scope, snapshot);
  putTrash(tx, `snapshots/${scope.snapshotter}`, snapshot.backEndKey, above?.backEndKey);
}

/**
 * Removes a snapshot from its namespace and the call's lease; the back end's goes with the next collection.
 * Throws not-found, failed-precondition while it has children.
 */
export function removeSnapshot(tx: Transaction, scope: SnapshotScope, lease: string | undefined, key: string): void {
  const snapshot = getSnapshot(tx, scope, key);
  if (hasChildren(tx, scope, key)) throw classedError("failed-precondition", "cannot remove snapshot with child");
  discardSnapshot(tx, scope, snapshot);
  leaveLease(tx, scope.namespace, lease, { type: `snapshots/${scope.snapshotter}`, id: key });
}
