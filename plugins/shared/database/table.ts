import type { DescMessage } from "@bufbuild/protobuf";
import { FormatSchema, SequenceSchema } from "#proto/gen/bulkhead/database/v1/records_pb.ts";

/** A kind of record. Its name begins every key, so it never changes; the parts of a key stand behind each. */
export interface Table<D extends DescMessage> {
  readonly name: string;
  readonly schema: D;
}

/** Names a kind of record. */
export function table<D extends DescMessage>(name: string, schema: D): Table<D> {
  return { name, schema };
}

/** What every database has, whatever else is in it. */
export const ownTables = {
  /** No parts. */
  format: table("format", FormatSchema),
  /** No parts: the epoch of the journal that goes with it. */
  journal: table("journal", SequenceSchema),
  /** Name of the counter. */
  sequence: table("sequence", SequenceSchema),
} as const;
