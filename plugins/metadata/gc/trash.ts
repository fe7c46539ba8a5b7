import type { Trash } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { tables } from "../database/tables.ts";
import type { Reader } from "../../shared/database/reader.ts";
import type { Transaction } from "../../shared/database/transaction.ts";

/** Where something is to be deleted. */
export type TrashStore = "content" | "ingests" | `snapshots/${string}`;

/** Name of the counter that orders trash. */
const trashCounter = "trash";

/**
 * Something of a back end is not needed any more, as far as this transaction knows; whoever empties the trash looks
 * again. What is put in first is deleted first, so children come before their parents.
 */
export function putTrash(tx: Transaction, store: TrashStore, key: string): void {
  if (tx.has(tables.trash, [store, key])) return;
  tx.put(tables.trash, [store, key], { sequence: tx.next(trashCounter), store, key });
}

/** It is needed after all, or deleted. */
export function dropTrash(tx: Transaction, store: TrashStore, key: string): void {
  if (tx.has(tables.trash, [store, key])) tx.remove(tables.trash, [store, key]);
}

/** What is to be deleted in a store, first things first. */
export function listTrash(reader: Reader, store: TrashStore): Trash[] {
  const entries = Array.from(reader.range(tables.trash, [store]), ({ value }) => value);
  return entries.sort((one, other) => Number(one.sequence - other.sequence));
}

/** The stores that have trash. */
export function trashStores(reader: Reader): TrashStore[] {
  return [...new Set(Array.from(reader.range(tables.trash, []), ({ value }) => value.store as TrashStore))];
}
