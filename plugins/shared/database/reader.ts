import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { encodeKey, keyRangeEnd } from "./key.ts";
import type { Table } from "./table.ts";

/** Reading, alike outside and inside a transaction. Messages are the caller's own. */
export interface Reader {
  /** The record with this key; undefined: there is none. */
  get<D extends DescMessage>(table: Table<D>, key: readonly string[]): MessageShape<D> | undefined;
  /** The same, serialized. */
  getBytes(table: Table<DescMessage>, key: readonly string[]): Uint8Array | undefined;
  /** Whether there is a record with this key. */
  has(table: Table<DescMessage>, key: readonly string[]): boolean;
  /**
   * Records whose keys begin with `prefix`, in byte order, as they were when the iteration began. Must be iterated
   * without waiting in between: it holds a view of the database.
   */
  range<D extends DescMessage>(
    table: Table<D>,
    prefix: readonly string[],
    options?: RangeOptions,
  ): Iterable<Entry<MessageShape<D>>>;
  /** The same, with the records serialized. */
  rangeEntries(
    table: Table<DescMessage>,
    prefix: readonly string[],
    options?: RangeOptions,
  ): Iterable<Entry<Uint8Array>>;
  /** The serialized records alone. */
  rangeBytes(table: Table<DescMessage>, prefix: readonly string[]): Iterable<Uint8Array>;
}

export interface RangeOptions {
  /** Starts behind this entry. */
  readonly after?: Entry<unknown> | undefined;
}

export interface Entry<T> {
  readonly key: Buffer;
  readonly value: T;
}

/** What a reader needs of the engine: bytes by key, and ranges of them. */
export interface ByteStore {
  get(key: Buffer): Uint8Array | undefined;
  range(start: Buffer, end: Buffer, exclusiveStart: boolean): Iterable<{ key: Buffer; value: Uint8Array }>;
}

/** The key of a record. */
export function recordKey(table: Table<DescMessage>, key: readonly string[]): Buffer {
  return encodeKey([table.name, ...key]);
}

/** A reader over an engine's bytes. */
export function readerOf(store: ByteStore): Reader {
  function* rangeEntries(
    table: Table<DescMessage>,
    prefix: readonly string[],
    { after }: RangeOptions = {},
  ): Iterable<Entry<Uint8Array>> {
    const first = recordKey(table, prefix);
    yield* store.range(after?.key ?? first, keyRangeEnd(first), after !== undefined);
  }
  return {
    get(table, key) {
      const bytes = store.get(recordKey(table, key));
      return bytes === undefined ? undefined : fromBinary(table.schema, bytes);
    },
    getBytes: (table, key) => store.get(recordKey(table, key)),
    has: (table, key) => store.get(recordKey(table, key)) !== undefined,
    *range(table, prefix, options) {
      for (const { key, value } of rangeEntries(table, prefix, options)) {
        yield { key, value: fromBinary(table.schema, value) };
      }
    },
    rangeEntries,
    *rangeBytes(table, prefix) {
      for (const { value } of rangeEntries(table, prefix)) yield value;
    },
  };
}
