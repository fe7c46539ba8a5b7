import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { embedMessages, type EncodedMessage } from "bulkhead/plugin";
import { HostError, isHostError } from "#proto/wire/errors.ts";
import { compileFilters, passAll, type Filter, type FilterAdaptor } from "#proto/wire/filters.ts";
import type { Entry, Reader } from "../shared/database/reader.ts";
import type { Table } from "../shared/database/table.ts";

/** Records of one block, and those looked at in one go. */
const blockLimit = 100;

interface Listing<D extends DescMessage> {
  readonly table: Table<D>;
  readonly namespace: string;
  readonly filter: Filter;
  readonly adaptor: (value: MessageShape<D>) => FilterAdaptor;
}

/** Filters of images, containers and leases: containerd adds the class words to the parser's error once more. */
export function compileObjectFilters(filters: readonly string[]): Filter {
  try {
    return compileFilters(filters);
  } catch (cause) {
    if (!isHostError(cause, "invalid-argument")) throw cause;
    throw new HostError("invalid-argument", `${cause.message}: invalid argument`, { cause });
  }
}

/**
 * Records of a namespace that pass the filter, in byte order of their names, as a message that repeats them in its
 * field 1. Where all pass they are not even read.
 */
export function listRecords<D extends DescMessage>(
  reader: Reader,
  { table, namespace, filter, adaptor }: Listing<D>,
): EncodedMessage {
  if (filter === passAll) return embedMessages(1, [...reader.rangeBytes(table, [namespace])]);
  const found: Uint8Array[] = [];
  for (const bytes of reader.rangeBytes(table, [namespace])) {
    if (filter(adaptor(fromBinary(table.schema, bytes)))) found.push(bytes);
  }
  return embedMessages(1, found);
}

/**
 * The same in blocks, empty ones left out, for streams: no view of the database is held while a block is sent, so
 * what changes meanwhile may or may not show.
 */
export function* listBlocks<D extends DescMessage>(
  reader: Reader,
  { table, namespace, filter, adaptor }: Listing<D>,
): Iterable<MessageShape<D>[]> {
  const block: MessageShape<D>[] = [];
  for (const values of recordBlocks(reader, table, [namespace])) {
    block.push(...values.filter((value) => filter(adaptor(value))));
    if (block.length >= blockLimit) yield block.splice(0, blockLimit);
  }
  if (block.length > 0) yield block;
}

/** All records whose keys begin with `prefix`, some at a time; no view of the database is held in between. */
export function* recordBlocks<D extends DescMessage>(
  reader: Reader,
  table: Table<D>,
  prefix: readonly string[],
): Iterable<MessageShape<D>[]> {
  for (const block of byteBlocks(reader, table, prefix)) yield block.map((bytes) => fromBinary(table.schema, bytes));
}

/** The same records, serialized. */
export function* byteBlocks(
  reader: Reader,
  table: Table<DescMessage>,
  prefix: readonly string[],
): Iterable<Uint8Array[]> {
  let after: Entry<unknown> | undefined;
  for (;;) {
    const entries = takeEntries(reader.rangeEntries(table, prefix, { after }));
    if (entries.length > 0) yield entries.map(({ value }) => value);
    if (entries.length < blockLimit) return;
    after = entries.at(-1);
  }
}

function takeEntries<T>(range: Iterable<Entry<T>>): Entry<T>[] {
  const entries: Entry<T>[] = [];
  for (const entry of range) {
    entries.push(entry);
    if (entries.length === blockLimit) break;
  }
  return entries;
}
