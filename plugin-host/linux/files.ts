import { callLibc } from "./library.ts";
import { pathArgument, pathText, type LinuxPath } from "./paths.ts";

/** File type bits of `makeNode`'s mode. */
export const nodeTypes = {
  fifo: 0o010000,
  character: 0o020000,
  block: 0o060000,
  regular: 0o100000,
  socket: 0o140000,
} as const;

/** Linux's encoding of a device number (gnu_dev_makedev). */
export function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

/**
 * Makes a FIFO, device, socket or plain file (mknod(2)); `mode` is one of `nodeTypes` with permission bits, less the umask.
 * @throws LinuxError EEXIST, EPERM.
 */
export function makeNode(path: LinuxPath, mode: number, device = 0n): void {
  const prototype = "int mknod(const char *path, unsigned int mode, uint64_t device)";
  callLibc({ syscall: "mknod", path: pathText(path) }, prototype, pathArgument(path), mode, device);
}

/** Writes everything of the file system that a descriptor is on to its disk; the thread waits. */
export function syncFileSystem(fd: number): void {
  callLibc({ syscall: "syncfs" }, "int syncfs(int fd)", fd);
}
