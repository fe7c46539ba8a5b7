import { closeSync, openSync } from "node:fs";
import { callLibc } from "./library.ts";

/** Entries that are looked at. */
const bufferBytes = 32 * 1024;
/** Of linux_dirent64. */
const lengthOffset = 16;
const typeOffset = 18;
const nameOffset = 19;
const unknownType = 0;

/**
 * Whether the file system of a folder tells the types of entries in its listings (d_type), which overlay needs of the
 * one below it. The folder must not be empty: . and .. have types everywhere.
 * @throws LinuxError, or Node's error of open.
 */
export function tellsEntryTypes(folder: string): boolean {
  const fd = openSync(folder, "r");
  try {
    const entries = Buffer.alloc(bufferBytes);
    const prototype = "long getdents64(int fd, void *entries, size_t size)";
    const size = callLibc({ syscall: "getdents64", path: folder }, prototype, fd, entries, entries.length);
    for (let at = 0; at < size; at += entries.readUInt16LE(at + lengthOffset)) {
      const start = entries.toString("latin1", at + nameOffset, at + nameOffset + 3);
      const isDots = start.startsWith(".\0") || start === "..\0";
      if (!isDots && entries.readUInt8(at + typeOffset) === unknownType) return false;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}
