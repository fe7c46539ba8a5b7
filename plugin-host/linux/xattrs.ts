import { isLinuxError } from "./error.ts";
import { callLibc } from "./library.ts";
import { pathArgument, pathText, type LinuxPath } from "./paths.ts";

const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

/** Value of an extended attribute of a path, symlinks not followed; undefined: it has none of that name. */
export function getXattr(path: LinuxPath, name: string): Buffer | undefined {
  const bytes = pathArgument(path);
  const prototype = "long lgetxattr(const char *path, const char *name, void *value, size_t size)";
  try {
    return readSized((buffer) =>
      callLibc({ syscall: "lgetxattr", path: pathText(path) }, prototype, bytes, name, buffer, buffer?.length ?? 0),
    );
  } catch (error) {
    if (isLinuxError(error, "ENODATA")) return undefined;
    throw error;
  }
}

/** Sets an extended attribute of a path, symlinks not followed. */
export function setXattr(path: LinuxPath, name: string, value: Uint8Array, only?: "create" | "replace"): void {
  const flags = only === undefined ? 0 : only === "create" ? XATTR_CREATE : XATTR_REPLACE;
  const prototype = "int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)";
  const subject = { syscall: "lsetxattr", path: pathText(path) };
  callLibc(subject, prototype, pathArgument(path), name, value, value.length, flags);
}

/** Names of a path's extended attributes, symlinks not followed. */
export function listXattrs(path: LinuxPath): string[] {
  const bytes = pathArgument(path);
  const prototype = "long llistxattr(const char *path, void *list, size_t size)";
  const list = readSized((buffer) =>
    callLibc({ syscall: "llistxattr", path: pathText(path) }, prototype, bytes, buffer, buffer?.length ?? 0),
  );
  return list.toString("utf8").split("\0").slice(0, -1);
}

/** Removes an extended attribute, symlinks not followed. @throws LinuxError ENODATA: there is none. */
export function removeXattr(path: LinuxPath, name: string): void {
  const prototype = "int lremovexattr(const char *path, const char *name)";
  callLibc({ syscall: "lremovexattr", path: pathText(path) }, prototype, pathArgument(path), name);
}

/** Asks for the size, then for the value, again if it grew between. */
function readSized(read: (buffer: Buffer | null) => number): Buffer {
  for (;;) {
    const size = read(null);
    if (size === 0) return Buffer.alloc(0);
    const buffer = Buffer.alloc(size);
    try {
      return buffer.subarray(0, read(buffer));
    } catch (error) {
      if (!isLinuxError(error, "ERANGE")) throw error;
    }
  }
}
