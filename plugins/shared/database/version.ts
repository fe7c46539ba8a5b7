import { HostError } from "#proto/wire/errors.ts";
import type { DatabaseKind } from "./database-kind.ts";
import type { Reader } from "./reader.ts";
import { ownTables } from "./table.ts";
import type { Transaction } from "./transaction.ts";

/**
 * Whether a database is new (no format yet). Throws failed-precondition for a format this code does not know:
 * a newer Bulkhead wrote it.
 */
export function isNewDatabase({ subject, formatVersion }: DatabaseKind, reader: Reader, file: string): boolean {
  const format = reader.get(ownTables.format, []);
  if (format === undefined) return true;
  if (format.version > formatVersion) {
    throw new HostError(
      "failed-precondition",
      `open ${file}: it has ${subject} format ${format.version}, written by a newer Bulkhead; this one reads up to ` +
        `${formatVersion}. Start the newer Bulkhead again, or put a backup made before the upgrade in its place`,
    );
  }
  return false;
}

/** Writes down the format. */
export function recordFormat({ formatVersion }: DatabaseKind, tx: Transaction): void {
  tx.put(ownTables.format, [], { version: formatVersion });
}
