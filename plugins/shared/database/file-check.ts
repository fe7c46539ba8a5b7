import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";
import { HostError } from "#proto/wire/errors.ts";
import type { DatabaseKind } from "./database-kind.ts";

/** What the two first pages of an LMDB file look like (MDB_meta behind a page header of 24 bytes). */
const metaOffset = 24;
const magic = 0xbeefc0de;
/** Data version of the lmdb package; other builds of LMDB write 1. */
const dataVersion = 2;
const pageSizeOffset = metaOffset + 24;
const lastPageOffset = metaOffset + 120;
const metaBytes = lastPageOffset + 8;

/**
 * Looks at a database before LMDB maps it into memory, where a foreign or cut file ends the process. One that is
 * missing or empty is fine. A file shorter than its pages is filled up with holes, which LMDB itself leaves unwritten
 * at times, so that no access can fall behind its end. Throws data-loss for a file that is none of ours.
 */
export function checkDatabaseFile(kind: DatabaseKind, file: string): void {
  const fd = openIfThere(file);
  if (fd === undefined) return;
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return;
    const first = readMeta(kind, fd, 0, file);
    const second = readMeta(kind, fd, first.pageBytes, file);
    const pages = Math.max(first.lastPage, second.lastPage) + 1;
    if (size < pages * first.pageBytes) ftruncateSync(fd, pages * first.pageBytes);
  } finally {
    closeSync(fd);
  }
}

function readMeta(
  { subject }: DatabaseKind,
  fd: number,
  position: number,
  file: string,
): { pageBytes: number; lastPage: number } {
  const bytes = Buffer.alloc(metaBytes);
  const read = readSync(fd, bytes, 0, metaBytes, position);
  const isMeta =
    read === metaBytes &&
    bytes.readUInt32LE(metaOffset) === magic &&
    bytes.readUInt32LE(metaOffset + 4) === dataVersion;
  const pageBytes = bytes.readUInt32LE(pageSizeOffset);
  if (!isMeta || pageBytes < 512 || pageBytes > 65_536) {
    throw new HostError(
      "data-loss",
      `open ${file}: this is no ${subject} database, or a damaged one; put a backup in its place, or move it away to ` +
        "begin with an empty one",
    );
  }
  return { pageBytes, lastPage: Number(bytes.readBigUInt64LE(lastPageOffset)) };
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, "r+");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
