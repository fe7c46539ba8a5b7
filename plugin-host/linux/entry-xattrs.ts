import { isLinuxError } from "./error.ts";
import type { EntryName } from "./folder-entries.ts";
import { callLibc } from "./library.ts";

/** Kernel's bounds of one value and of all names of an entry. */
const valueLimitBytes = 65536;

/** Made at first use: most processes have no use for it. */
let scratch: Buffer | undefined;

/** The *xattr calls have no form relative to a folder; this path means the entry of an open folder all the same. */
function pathOf(folder: number, name: EntryName): Buffer {
  return Buffer.from(`/proc/self/fd/${folder}${name === "" ? "/." : `/${name}`}\0`, "latin1");
}

/** Sets an extended attribute of an entry (the folder itself: ""), of a symlink itself too. */
export function setEntryXattr(folder: number, name: EntryName, key: string, value: Uint8Array, only?: "create"): void {
  const prototype = "int lsetxattr(const void *path, const void *key, const void *value, size_t size, int flags)";
  const flags = only === "create" ? 1 : 0;
  const native = Buffer.from(`${key}\0`, "latin1");
  const subject = { syscall: "lsetxattr", path: name };
  callLibc(subject, prototype, pathOf(folder, name), native, value, value.length, flags);
}

/** Value of an extended attribute; undefined: it has none of that name, or the file system keeps none. */
export function getEntryXattr(folder: number, name: EntryName, key: string): Buffer | undefined {
  const prototype = "long lgetxattr(const void *path, const void *key, void *value, size_t size)";
  const native = Buffer.from(`${key}\0`, "latin1");
  return readInto((buffer) =>
    callLibc({ syscall: "lgetxattr", path: name }, prototype, pathOf(folder, name), native, buffer, buffer.length),
  );
}

/** Names of an entry's extended attributes, a character a byte. */
export function listEntryXattrs(folder: number, name: EntryName): string[] {
  const prototype = "long llistxattr(const void *path, void *list, size_t size)";
  const list = readInto((buffer) =>
    callLibc({ syscall: "llistxattr", path: name }, prototype, pathOf(folder, name), buffer, buffer.length),
  );
  return list === undefined ? [] : list.toString("latin1").split("\0").slice(0, -1);
}

function readInto(read: (buffer: Buffer) => number): Buffer | undefined {
  scratch ??= Buffer.alloc(valueLimitBytes);
  try {
    return Buffer.from(scratch.subarray(0, read(scratch)));
  } catch (error) {
    if (isLinuxError(error, "ENODATA", "ENOTSUP", "EOPNOTSUPP")) return undefined;
    throw error;
  }
}
