import { create, type DescMessage } from "@bufbuild/protobuf";
import { NamespaceTraceSchema, type NamespaceTrace } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import { quote, validateIdentifier } from "#proto/wire/identifiers.ts";
import { keptLabels, validateLabels } from "#proto/wire/labels.ts";
import { putTrash } from "./gc/trash.ts";
import type { Reader } from "../shared/database/reader.ts";
import { tables } from "./database/tables.ts";
import type { Table } from "../shared/database/table.ts";
import type { Transaction } from "../shared/database/transaction.ts";

type Labels = Readonly<Record<string, string>>;

/** Makes a namespace exist; the first write into one does. */
export function ensureNamespace(tx: Transaction, name: string): void {
  if (!tx.has(tables.namespace, [name])) tx.put(tables.namespace, [name], { name });
}

/** What a namespace has been through. */
export function traceOf(reader: Reader, name: string): NamespaceTrace {
  return reader.get(tables.namespaceTrace, [name]) ?? create(NamespaceTraceSchema);
}

/** Labels of a namespace; an unknown one has none, as containerd answers. */
export function labelsOfNamespace(reader: Reader, name: string): Record<string, string> {
  return reader.get(tables.namespace, [name])?.labels ?? {};
}

/** Throws invalid-argument for a bad name or label, already-exists. */
export function createNamespace(tx: Transaction, name: string, labels: Labels): void {
  validateIdentifier(name);
  validateLabels("namespace.Labels", labels);
  if (tx.has(tables.namespace, [name])) throw classedError("already-exists", `namespace ${quote(name)}`);
  if (Object.hasOwn(labels, "")) throw emptyKeyError();
  tx.put(tables.namespace, [name], { name, labels: keptLabels(labels) });
}

/**
 * Sets single labels; an empty value removes one. Makes a missing namespace exist, whatever its name, as containerd
 * does. Throws unknown (sic: containerd leaves these errors without a class).
 */
export function setNamespaceLabels(tx: Transaction, name: string, labels: Labels): void {
  if (Object.keys(labels).length === 0) return;
  if (name === "") throw new HostError("unknown", "bucket name required");
  checkLabels(labels);
  const merged = { ...labelsOfNamespace(tx, name), ...labels };
  tx.put(tables.namespace, [name], { name, labels: keptLabels(merged) });
}

/** Replaces every label; with none on either side nothing happens, not even the namespace. */
export function replaceNamespaceLabels(tx: Transaction, name: string, labels: Labels): void {
  const removed = Object.keys(labelsOfNamespace(tx, name)).map((key) => [key, ""] as const);
  setNamespaceLabels(tx, name, { ...Object.fromEntries(removed), ...labels });
}

/**
 * Throws not-found, failed-precondition while images, blobs, containers or snapshots are left. Leases and ingests go
 * with it; what the store has of those goes into the trash.
 */
export function deleteNamespace(tx: Transaction, name: string): void {
  const left = contentsOf(tx, name);
  if (left.length > 0) {
    const text = `namespace ${quote(name)} must be empty, but it still has ${left.join(", ")}`;
    throw classedError("failed-precondition", text);
  }
  if (!tx.has(tables.namespace, [name])) throw classedError("not-found", `namespace ${quote(name)}`);
  tx.remove(tables.namespace, [name]);
  for (const { value } of tx.range(tables.ingest, [name])) putTrash(tx, "ingests", value.storeRef);
  for (const table of [
    tables.namespaceTrace,
    tables.lease,
    tables.leaseResource,
    tables.ingest,
    tables.contentIntent,
  ]) {
    tx.removeRange(table, [name]);
  }
}

/** What keeps a namespace from being removed, in containerd's words and order. */
function contentsOf(reader: Reader, name: string): string[] {
  const kinds: readonly (readonly [string, Table<DescMessage>])[] = [
    ["images", tables.image],
    ["blobs", tables.blob],
    ["containers", tables.container],
  ];
  const left = kinds.filter(([, table]) => hasAny(reader.range(table, [name]))).map(([kind]) => kind);
  return [
    ...left,
    ...snapshottersOf(reader, name).map((snapshotter) => `snapshots on ${quote(snapshotter)} snapshotter`),
  ];
}

/** Snapshotters that have snapshots of a namespace, or will in a moment. */
function snapshottersOf(reader: Reader, name: string): string[] {
  return traceOf(reader, name).snapshotters.filter((snapshotter) =>
    [tables.snapshot, tables.snapshotIntent].some((table: Table<DescMessage>) =>
      hasAny(reader.rangeBytes(table, [name, snapshotter])),
    ),
  );
}

function hasAny(entries: Iterable<unknown>): boolean {
  for (const _ of entries) return true;
  return false;
}

function checkLabels(labels: Labels): void {
  try {
    validateLabels("namespace.Labels", labels);
  } catch (cause) {
    throw new HostError("unknown", (cause as Error).message, { cause });
  }
  if (Object.hasOwn(keptLabels(labels), "")) throw emptyKeyError();
}

function emptyKeyError(): HostError {
  return new HostError("unknown", "key required");
}
