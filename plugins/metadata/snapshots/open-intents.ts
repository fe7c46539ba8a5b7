import { fromBinary } from "@bufbuild/protobuf";
import { IntentSchema, type Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { recordKey, type Reader } from "../../shared/database/reader.ts";
import type { Change } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";
import { listIntents, operationOf, reservedName, scopeOf } from "./intents.ts";
import type { SnapshotScope } from "./snapshots.ts";

/** Every open operation, in memory: each call looks for those that touch its snapshot, and mostly there are none. */
export class OpenIntents {
  /** By the bytes of their keys. */
  readonly #open = new Map<string, Intent>();

  /** Those of the database. */
  constructor(reader: Reader) {
    for (const intent of listIntents(reader)) {
      const { namespace, snapshotter } = scopeOf(intent);
      const key = recordKey(tables.snapshotIntent, [namespace, snapshotter, reservedName(intent)]);
      this.#open.set(key.toString("latin1"), intent);
    }
  }

  /** For each transaction, in their order. */
  hear(changes: Iterable<Change>): void {
    for (const { table, key, value } of changes) {
      if (table.name !== tables.snapshotIntent.name) continue;
      if (value === undefined) this.#open.delete(key.toString("latin1"));
      else this.#open.set(key.toString("latin1"), fromBinary(IntentSchema, value));
    }
  }

  /** Those that touch a name: as the one that is about to be, or as the active one that is committed. */
  touching({ namespace, snapshotter }: SnapshotScope, name: string): Intent[] {
    return Array.from(this.#open.values()).filter((intent) => {
      const { case: kind, value } = operationOf(intent);
      if (intent.namespace !== namespace || value.snapshotter !== snapshotter) return false;
      return reservedName(intent) === name || (kind === "snapshotCommit" && value.key === name);
    });
  }
}
