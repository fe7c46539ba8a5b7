import type { Intent, SnapshotCommit, SnapshotCreate } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Reader } from "../../shared/database/reader.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";
import { intentCounter } from "../intents.ts";
import type { SnapshotScope } from "./snapshots.ts";

/** Name of the counter in the back end's keys of a namespace. It outlives the namespace: keys are never used twice. */
export function snapshotCounter({ namespace, snapshotter }: SnapshotScope): string {
  return `snapshots/${namespace}/${snapshotter}`;
}

/** A new name for the back end: never a client's bare. `number`: of the scope's counter, never used before. */
export function backEndKeyOf(scope: SnapshotScope, number: bigint, key: string): string {
  return `${scope.namespace}/${number}/${key}`;
}

type Operation = Extract<Intent["operation"], { case: "snapshotCreate" | "snapshotCommit" }>;

/** Stores what is about to happen under the name that it reserves. */
export function putIntent(tx: Transaction, scope: SnapshotScope, reserved: string, operation: Operation): Intent {
  return tx.put(tables.snapshotIntent, [scope.namespace, scope.snapshotter, reserved], {
    sequence: tx.next(intentCounter),
    namespace: scope.namespace,
    createdAt: timestampNow(),
    operation,
  });
}

/** The open operation that reserves a name. */
export function findIntent(reader: Reader, scope: SnapshotScope, reserved: string): Intent | undefined {
  return reader.get(tables.snapshotIntent, [scope.namespace, scope.snapshotter, reserved]);
}

/** Every open operation: of a namespace, of one of its snapshotters, or of all. */
export function listIntents(reader: Reader, ...prefix: readonly string[]): Intent[] {
  return Array.from(reader.range(tables.snapshotIntent, prefix), ({ value }) => value);
}

/** Whether this very operation is still open. */
export function isOpen(reader: Reader, intent: Intent): boolean {
  return findIntent(reader, scopeOf(intent), reservedName(intent))?.sequence === intent.sequence;
}

export function removeIntent(tx: Transaction, intent: Intent): void {
  const { namespace, snapshotter } = scopeOf(intent);
  tx.remove(tables.snapshotIntent, [namespace, snapshotter, reservedName(intent)]);
}

export function scopeOf(intent: Intent): SnapshotScope {
  return { namespace: intent.namespace, snapshotter: operationOf(intent).value.snapshotter };
}

/** The name that nobody else may take while the operation is open. */
export function reservedName(intent: Intent): string {
  const { case: kind, value } = operationOf(intent);
  return kind === "snapshotCreate" ? value.key : value.name;
}

export function createOf(intent: Intent): SnapshotCreate {
  const { case: kind, value } = operationOf(intent);
  if (kind !== "snapshotCreate") throw damaged(intent);
  return value;
}

export function commitOf(intent: Intent): SnapshotCommit {
  const { case: kind, value } = operationOf(intent);
  if (kind !== "snapshotCommit") throw damaged(intent);
  return value;
}

/** Throws already-exists for a name that is there or about to be. */
export function checkNameFree(reader: Reader, scope: SnapshotScope, name: string): void {
  const key = [scope.namespace, scope.snapshotter, name];
  if (reader.has(tables.snapshot, key) || reader.has(tables.snapshotIntent, key)) {
    throw classedError("already-exists", `snapshot ${quote(name)}`);
  }
}

/** Throws not-found for a lease that is none; undefined: the call has none. */
export function checkLease(reader: Reader, namespace: string, lease: string | undefined): void {
  if (lease !== undefined && !reader.has(tables.lease, [namespace, lease])) {
    throw classedError("not-found", "lease does not exist");
  }
}

export function operationOf(intent: Intent): Operation {
  const { operation } = intent;
  if (operation.case === "snapshotCreate" || operation.case === "snapshotCommit") return operation;
  throw damaged(intent);
}

function damaged({ sequence }: Intent): HostError {
  return new HostError("data-loss", `intent ${sequence} of the metadata database names no operation of its table`);
}
