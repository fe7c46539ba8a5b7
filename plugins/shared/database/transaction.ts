import { create, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { readerOf, recordKey, type ByteStore, type Entry, type RangeOptions, type Reader } from "./reader.ts";
import { ownTables, type Table } from "./table.ts";

/** An event to publish once the transaction is on disk. */
export interface PendingEvent {
  readonly namespace: string;
  readonly topic: string;
  readonly schema: DescMessage;
  readonly event: MessageInitShape<DescMessage>;
}

/** What becomes of one record. */
export interface Change {
  readonly table: Table<DescMessage>;
  /** Parts of its key; undefined where a whole range was removed. */
  readonly parts: readonly string[] | undefined;
  readonly key: Buffer;
  /** Undefined: removed. */
  readonly value: Uint8Array | undefined;
}

/**
 * One job's changes, kept aside until it has ended well: a job that throws leaves nothing. Reads by key see the
 * job's own changes; ranges see what was there before it.
 */
export class Transaction implements Reader {
  readonly #below: ByteStore;
  readonly #reader: Reader;
  readonly #belowReader: Reader;
  readonly #changes = new Map<string, Change>();
  readonly #events: PendingEvent[] = [];
  #addedBytes = 0;

  constructor(below: ByteStore) {
    this.#below = below;
    this.#reader = readerOf({ get: (key) => this.#getBytes(key), range: () => [] });
    this.#belowReader = readerOf(below);
  }

  /** What to write, last change of each key. */
  get written(): Iterable<Change> {
    return this.#changes.values();
  }

  /** How many records are put or removed. */
  get changes(): number {
    return this.#changes.size;
  }

  get events(): readonly PendingEvent[] {
    return this.#events;
  }

  /** Bytes of the records that were put. */
  get addedBytes(): number {
    return this.#addedBytes;
  }

  get<D extends DescMessage>(table: Table<D>, key: readonly string[]): MessageShape<D> | undefined {
    return this.#reader.get(table, key);
  }

  getBytes(table: Table<DescMessage>, key: readonly string[]): Uint8Array | undefined {
    return this.#reader.getBytes(table, key);
  }

  has(table: Table<DescMessage>, key: readonly string[]): boolean {
    return this.#reader.has(table, key);
  }

  range<D extends DescMessage>(
    table: Table<D>,
    prefix: readonly string[],
    options?: RangeOptions,
  ): Iterable<Entry<MessageShape<D>>> {
    return this.#belowReader.range(table, prefix, options);
  }

  rangeEntries(
    table: Table<DescMessage>,
    prefix: readonly string[],
    options?: RangeOptions,
  ): Iterable<Entry<Uint8Array>> {
    return this.#belowReader.rangeEntries(table, prefix, options);
  }

  rangeBytes(table: Table<DescMessage>, prefix: readonly string[]): Iterable<Uint8Array> {
    return this.#belowReader.rangeBytes(table, prefix);
  }

  /** Writes a record and gives it as a message. */
  put<D extends DescMessage>(table: Table<D>, key: readonly string[], value: MessageInitShape<D>): MessageShape<D> {
    const record = create(table.schema, value);
    this.#addedBytes += this.#putBytes(table, key, toBinary(table.schema, record));
    return record;
  }

  /**
   * The same for a small record that takes the place of one that is removed: it passes where the database or the disk
   * is full, as removals do.
   */
  putInstead<D extends DescMessage>(table: Table<D>, key: readonly string[], value: MessageInitShape<D>): void {
    this.#putBytes(table, key, toBinary(table.schema, create(table.schema, value)));
  }

  remove(table: Table<DescMessage>, key: readonly string[]): void {
    this.#change({ table, parts: key, key: recordKey(table, key), value: undefined });
  }

  /** Removes every record whose key begins with `prefix`. */
  removeRange(table: Table<DescMessage>, prefix: readonly string[]): void {
    for (const { key } of this.range(table, prefix)) this.#change({ table, parts: undefined, key, value: undefined });
  }

  /** The next value of a counter; no value is given twice, not even after a crash. */
  next(counter: string): bigint {
    const last = (this.get(ownTables.sequence, [counter])?.last ?? 0n) + 1n;
    this.put(ownTables.sequence, [counter], { last });
    return last;
  }

  /** Publishes an event after the commit, in commit order, before the caller hears of it. */
  publish<D extends DescMessage>(namespace: string, topic: string, schema: D, event: MessageInitShape<D>): void {
    this.#events.push({ namespace, topic, schema, event });
  }

  #getBytes(key: Buffer): Uint8Array | undefined {
    const change = this.#changes.get(key.toString("latin1"));
    return change === undefined ? this.#below.get(key) : change.value;
  }

  #putBytes(table: Table<DescMessage>, parts: readonly string[], value: Uint8Array): number {
    this.#change({ table, parts, key: recordKey(table, parts), value });
    return value.length;
  }

  #change(change: Change): void {
    this.#changes.set(change.key.toString("latin1"), change);
  }
}
