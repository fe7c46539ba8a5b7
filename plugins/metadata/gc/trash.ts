import type { Trash } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { keyRangeEnd } from "../../shared/database/key.ts";
import { recordKey, type Entry, type Reader } from "../../shared/database/reader.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";
import { recordBlocks } from "../listing.ts";

/** Where something is to be deleted. */
export type TrashStore = "content" | "ingests" | `snapshots/${string}`;

/**
 * Something of a back end is not needed any more, as far as this transaction knows; whoever empties the trash looks
 * again. `parent`: the back end's key of a snapshot's parent, which is deleted after it.
 */
export function putTrash(tx: Transaction, store: TrashStore, key: string, parent = ""): void {
  tx.putInstead(tables.trash, [store, key], { store, key, parent });
}

/** It could not be deleted when its turn came, since someone was at it. */
export function deferTrash(tx: Transaction, store: TrashStore, key: string): void {
  const entry = tx.get(tables.trash, [store, key]);
  if (entry !== undefined) tx.putInstead(tables.trash, [store, key], { ...entry, deferred: true });
}

/** It is needed after all, or deleted. */
export function dropTrash(tx: Transaction, store: TrashStore, key: string): void {
  if (tx.has(tables.trash, [store, key])) tx.remove(tables.trash, [store, key]);
}

/** What is to be deleted in a store, some at a time. */
export function listTrash(reader: Reader, store: TrashStore): Iterable<readonly Trash[]> {
  return recordBlocks(reader, tables.trash, [store]);
}

/** The stores that have trash; looks at one entry of each. */
export function trashStores(reader: Reader): TrashStore[] {
  const stores: TrashStore[] = [];
  let after: Entry<unknown> | undefined;
  for (;;) {
    const [first] = reader.range(tables.trash, [], { after });
    if (first === undefined) return stores;
    const store = first.value.store as TrashStore;
    stores.push(store);
    after = { key: keyRangeEnd(recordKey(tables.trash, [store])), value: undefined };
  }
}
