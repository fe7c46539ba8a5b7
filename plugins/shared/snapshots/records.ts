import { Kind } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Reader } from "../database/reader.ts";
import { ownTables } from "../database/table.ts";
import type { Transaction } from "../database/transaction.ts";
import { storedLabels } from "./labels.ts";
import type { MountableKind, Snapshot, StoredSnapshot, Usage } from "./snapshot.ts";
import { tables } from "./tables.ts";

/*
 * The rules of containerd 1.6's snapshots/storage, as functions over records. Texts and classes of errors are its own.
 */

/** What containerd's database says to an empty name. */
const namelessText = "bucket name required";

/** The last id that any snapshot had. */
export const idSequence = "snapshot";

/** The snapshot with this name. Throws not-found. */
export function findSnapshot(reader: Reader, name: string): StoredSnapshot {
  const found = lookUp(reader, name);
  if (found === undefined) throw classedError("not-found", "snapshot does not exist");
  return found;
}

/** The active one or view to mount under this name. Throws not-found, failed-precondition for a committed one. */
export function findMountable(reader: Reader, name: string): Snapshot {
  const { id, info } = findSnapshot(reader, name);
  if (info.kind === Kind.COMMITTED) {
    throw classedError("failed-precondition", `requested snapshot ${name} not active or view`);
  }
  return { id, kind: info.kind === Kind.VIEW ? "view" : "active", parentIds: parentChain(reader, info.parent) };
}

/** Every active one and view. */
export function* mountables(reader: Reader): Iterable<Snapshot> {
  for (const { value } of reader.range(tables.snapshot, [])) {
    if (value.info !== undefined && value.info.kind !== Kind.COMMITTED) yield findMountable(reader, value.info.name);
  }
}

/**
 * Ids of the chain that begins with `parent` ("": none), which a new snapshot `name` is to stand on. Throws not-found,
 * invalid-argument for a parent that is not committed, already-exists for the name.
 */
export function checkNew(reader: Reader, name: string, parent: string): readonly bigint[] {
  if (parent !== "") {
    const found = lookUp(reader, parent);
    if (found === undefined) throw classedError("not-found", `missing parent ${quote(parent)} bucket`);
    if (found.info.kind !== Kind.COMMITTED) {
      throw classedError("invalid-argument", `parent ${quote(parent)} is not committed snapshot`);
    }
  }
  if (name === "") throw new HostError("unknown", namelessText);
  if (reader.has(tables.snapshot, [name])) throw classedError("already-exists", `snapshot ${name}`);
  return parentChain(reader, parent);
}

export interface NewSnapshot extends Snapshot {
  readonly name: string;
  readonly parent: string;
  /** As they are to be stored. */
  readonly labels: Record<string, string>;
}

/** Records a snapshot whose folders are made. Throws as `checkNew`. */
export function recordNew(tx: Transaction, { id, kind, name, parent, labels }: NewSnapshot): void {
  checkNew(tx, name, parent);
  const now = timestampNow();
  const info = {
    name,
    parent,
    kind: kindOf(kind),
    createdAt: now,
    updatedAt: now,
    labels,
  };
  tx.put(tables.snapshot, [name], { id, info });
  tx.put(tables.id, [`${id}`], { kind: info.kind });
  if (parent !== "") tx.put(tables.child, [`${findSnapshot(tx, parent).id}`, `${id}`], {});
  if (id > lastId(tx)) tx.put(ownTables.sequence, [idSequence], { last: id });
}

/** The kind of the snapshot with this id; undefined: there is none. */
export function kindOfId(reader: Reader, id: bigint): Kind | undefined {
  return reader.get(tables.id, [`${id}`])?.kind;
}

/** The last id that was recorded; 0: none ever. */
export function lastId(reader: Reader): bigint {
  return reader.get(ownTables.sequence, [idSequence])?.last ?? 0n;
}

/**
 * Finds out whether the active snapshot `key` can become the committed `name`. Throws already-exists for the name,
 * not-found for the key, failed-precondition for a key that is not active.
 */
export function checkCommit(reader: Reader, key: string, name: string): StoredSnapshot {
  if (name === "") throw new HostError("unknown", `committed snapshot : ${namelessText}`);
  if (reader.has(tables.snapshot, [name])) throw classedError("already-exists", `committed snapshot ${name}`);
  const found = lookUp(reader, key);
  if (found === undefined) throw classedError("not-found", `failed to get active snapshot ${quote(key)}`);
  if (found.info.kind !== Kind.ACTIVE) {
    throw classedError("failed-precondition", `snapshot ${quote(key)} is not active`);
  }
  return found;
}

export interface Commit {
  readonly key: string;
  readonly name: string;
  /** All labels of the committed one; none come from `key`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly usage: Usage;
}

/** Turns an active snapshot into a committed one of the same id. Throws as `checkCommit`. */
export function recordCommit(tx: Transaction, { key, name, labels, usage }: Commit): void {
  const { id, info } = checkCommit(tx, key, name);
  const now = timestampNow();
  const committed = {
    name,
    parent: info.parent,
    kind: Kind.COMMITTED,
    createdAt: now,
    updatedAt: now,
    labels: storedLabels(labels),
  };
  tx.put(tables.snapshot, [name], { id, info: committed, size: usage.size, inodes: usage.inodes });
  tx.put(tables.id, [`${id}`], { kind: Kind.COMMITTED });
  tx.remove(tables.snapshot, [key]);
}

/** Forgets a snapshot and gives what it was. Throws not-found, failed-precondition while it has children. */
export function recordRemoval(tx: Transaction, name: string): StoredSnapshot {
  const found = lookUp(tx, name);
  if (found === undefined) throw classedError("not-found", `snapshot ${name}`);
  if (hasChildren(tx, found.id)) throw childError();
  const { id, info } = found;
  tx.remove(tables.snapshot, [name]);
  tx.remove(tables.id, [`${id}`]);
  if (info.parent !== "") tx.remove(tables.child, [`${findSnapshot(tx, info.parent).id}`, `${id}`]);
  return found;
}

/** What a removal is refused with while others stand on the snapshot. */
export function childError(): HostError {
  return classedError("failed-precondition", "cannot remove snapshot with child");
}

/**
 * Changes labels and gives the snapshot as it is now. `paths` are `labels` and `labels.<key>`; none: all labels are
 * replaced. Throws not-found, invalid-argument for another path.
 */
export function recordUpdate(
  tx: Transaction,
  name: string,
  labels: Readonly<Record<string, string>>,
  paths: readonly string[],
): StoredSnapshot {
  const found = findSnapshot(tx, name);
  let changed: Record<string, string> = paths.length === 0 ? { ...labels } : { ...found.info.labels };
  for (const path of paths) {
    if (path === "labels") changed = { ...labels };
    else if (path.startsWith("labels.")) changed[path.slice(7)] = labels[path.slice(7)] ?? "";
    else {
      const field = quote(path);
      throw classedError("invalid-argument", `cannot update ${field} field on snapshot ${quote(name)}`);
    }
  }
  const info = { ...found.info, labels: storedLabels(changed), updatedAt: timestampNow() };
  const { id, size, inodes } = found;
  return tx.put(tables.snapshot, [name], { id, info, size, inodes }) as StoredSnapshot;
}

function hasChildren(reader: Reader, id: bigint): boolean {
  for (const _ of reader.rangeBytes(tables.child, [`${id}`])) return true;
  return false;
}

function lookUp(reader: Reader, name: string): StoredSnapshot | undefined {
  return reader.get(tables.snapshot, [name]) as StoredSnapshot | undefined;
}

function parentChain(reader: Reader, parent: string): bigint[] {
  const ids: bigint[] = [];
  for (let name = parent; name !== ""; ) {
    const { id, info } = findSnapshot(reader, name);
    ids.push(id);
    name = info.parent;
  }
  return ids;
}

function kindOf(kind: MountableKind): Kind {
  return kind === "view" ? Kind.VIEW : Kind.ACTIVE;
}
