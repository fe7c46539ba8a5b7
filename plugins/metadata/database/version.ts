import { HostError } from "#proto/wire/errors.ts";
import type { Reader } from "./reader.ts";
import { tables } from "./tables.ts";
import type { Transaction } from "./transaction.ts";

/** The format this code writes. Raise it when older code could no longer read the database. */
export const formatVersion = 1;

/**
 * Whether a database is new (no format yet). Throws failed-precondition for a format this code does not know:
 * a newer Bulkhead wrote it.
 */
export function isNewDatabase(reader: Reader, file: string): boolean {
  const format = reader.get(tables.format, []);
  if (format === undefined) return true;
  if (format.version > formatVersion) {
    throw new HostError(
      "failed-precondition",
      `open ${file}: it has metadata format ${format.version}, written by a newer Bulkhead; this one reads up to ` +
        `${formatVersion}. Start the newer Bulkhead again, or put a backup made before the upgrade in its place`,
    );
  }
  return false;
}

/** Writes down the format. */
export function recordFormat(tx: Transaction): void {
  tx.put(tables.format, [], { version: formatVersion });
}
