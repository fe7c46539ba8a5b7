import { constants } from "node:fs";
import { constants as systemConstants } from "node:os";
import { LinuxError } from "./error.ts";
import { callLibc } from "./library.ts";

/**
 * Calls on what an open folder holds, by one name or a short path: nothing that happens to the folder's own path
 * meanwhile changes what they work on, and none follows a symlink at the end. A name is a string of one character a
 * byte (latin1), since names on Linux are bytes.
 */
export type EntryName = string;

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const O_CLOEXEC = 0o2000000;
const STATX_BASIC_STATS = 0x7ff;
const UTIME_NOW = 0x3fffffffn;
const pathLimitBytes = 4096;

/** Two names at once are needed by links alone. */
const nameBuffers = [Buffer.alloc(pathLimitBytes), Buffer.alloc(pathLimitBytes)] as const;
const linkBuffer = Buffer.alloc(pathLimitBytes);
const statBuffer = Buffer.alloc(256);
const times = new BigInt64Array(4);

function native(name: EntryName, slot: 0 | 1 = 0): Buffer {
  const buffer = nameBuffers[slot];
  if (name.length >= pathLimitBytes) {
    throw new LinuxError({ errno: systemConstants.errno.ENAMETOOLONG, syscall: "path", path: name.slice(0, 64) });
  }
  // A byte 0 would end the name early, and so mean another entry.
  if (name.includes("\0")) throw new LinuxError({ errno: systemConstants.errno.EINVAL, syscall: "path", path: name });
  buffer[buffer.write(name, 0, "latin1")] = 0;
  return buffer;
}

/** Flags that each open here has: close-on-exec, no symlink at the end. */
const always = O_CLOEXEC | constants.O_NOFOLLOW;

/**
 * Opens an entry; `flags` are Node's `fs.constants.O_*`, `mode` counts where it is created (less the umask). The
 * caller owns the descriptor.
 * @throws LinuxError ELOOP or ENOTDIR: a symlink; EEXIST with O_EXCL.
 */
export function openEntry(folder: number, name: EntryName, flags: number, mode = 0): number {
  const prototype = "int openat(int folder, const void *name, int flags, unsigned int mode)";
  return callLibc({ syscall: "openat", path: name }, prototype, folder, native(name), flags | always, mode);
}

/** Opens a folder in a folder. @throws LinuxError ENOTDIR: it is none, or a symlink. */
export function openFolderEntry(folder: number, name: EntryName): number {
  return openEntry(folder, name, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** Makes a folder, `mode` less the umask. @throws LinuxError EEXIST. */
export function makeFolderEntry(folder: number, name: EntryName, mode: number): void {
  const prototype = "int mkdirat(int folder, const void *name, unsigned int mode)";
  callLibc({ syscall: "mkdirat", path: name }, prototype, folder, native(name), mode);
}

/** Makes a FIFO, device or plain file; `mode` is one of `nodeTypes` with permission bits, less the umask. */
export function makeNodeEntry(folder: number, name: EntryName, mode: number, device = 0n): void {
  const prototype = "int mknodat(int folder, const void *name, unsigned int mode, uint64_t device)";
  callLibc({ syscall: "mknodat", path: name }, prototype, folder, native(name), mode, device);
}

/** Makes a symlink; the target is any text. */
export function makeSymlinkEntry(folder: number, name: EntryName, target: EntryName): void {
  const prototype = "int symlinkat(const void *target, int folder, const void *name)";
  callLibc({ syscall: "symlinkat", path: name }, prototype, native(target, 1), folder, native(name));
}

/** Gives a file another name, also a symlink itself. */
export function linkEntry(fromFolder: number, from: EntryName, folder: number, name: EntryName): void {
  const prototype = "int linkat(int fromFolder, const void *from, int folder, const void *name, int flags)";
  callLibc({ syscall: "linkat", path: name }, prototype, fromFolder, native(from, 1), folder, native(name), 0);
}

/** Removes what is no folder. @throws LinuxError EISDIR, ENOENT. */
export function unlinkEntry(folder: number, name: EntryName): void {
  unlinkAt(folder, name, 0);
}

/** Removes an empty folder. @throws LinuxError ENOTEMPTY, ENOTDIR, ENOENT. */
export function removeFolderEntry(folder: number, name: EntryName): void {
  unlinkAt(folder, name, AT_REMOVEDIR);
}

function unlinkAt(folder: number, name: EntryName, flags: number): void {
  const prototype = "int unlinkat(int folder, const void *name, int flags)";
  callLibc({ syscall: "unlinkat", path: name }, prototype, folder, native(name), flags);
}

/** What a symlink says. @throws LinuxError EINVAL: it is none. */
export function readLinkEntry(folder: number, name: EntryName): EntryName {
  const prototype = "long readlinkat(int folder, const void *name, void *target, size_t size)";
  const subject = { syscall: "readlinkat", path: name };
  const length = callLibc(subject, prototype, folder, native(name), linkBuffer, linkBuffer.length);
  return linkBuffer.toString("latin1", 0, length);
}

/** Sets the owner, of a symlink itself too; ids are 32 bits wide. */
export function ownEntry(folder: number, name: EntryName, uid: number, gid: number): void {
  const prototype = "int fchownat(int folder, const void *name, unsigned int uid, unsigned int gid, int flags)";
  const subject = { syscall: "fchownat", path: name };
  callLibc(subject, prototype, folder, native(name), uid, gid, AT_SYMLINK_NOFOLLOW);
}

/** Sets permission bits; follows a symlink at the end, so the caller knows that it is none. */
export function chmodEntry(folder: number, name: EntryName, mode: number): void {
  const prototype = "int fchmodat(int folder, const void *name, unsigned int mode, int flags)";
  callLibc({ syscall: "fchmodat", path: name }, prototype, folder, native(name), mode, 0);
}

/** A time: seconds since the epoch and nanoseconds. */
export interface FileTime {
  readonly seconds: number;
  readonly nanos: number;
}

/** Sets both times to the nanosecond, of a symlink itself too; `undefined` is the time now. */
export function setEntryTimes(
  folder: number,
  name: EntryName,
  accessed: FileTime | undefined,
  modified: FileTime | undefined,
): void {
  fillTimes(accessed, modified);
  const prototype = "int utimensat(int folder, const void *name, const void *times, int flags)";
  callLibc({ syscall: "utimensat", path: name }, prototype, folder, native(name), times, AT_SYMLINK_NOFOLLOW);
}

/** The same of an open file. */
export function setOpenTimes(fd: number, accessed: FileTime | undefined, modified: FileTime | undefined): void {
  fillTimes(accessed, modified);
  callLibc({ syscall: "futimens" }, "int futimens(int fd, const void *times)", fd, times);
}

function fillTimes(accessed: FileTime | undefined, modified: FileTime | undefined): void {
  times[0] = BigInt(accessed?.seconds ?? 0);
  times[1] = accessed === undefined ? UTIME_NOW : BigInt(accessed.nanos);
  times[2] = BigInt(modified?.seconds ?? 0);
  times[3] = modified === undefined ? UTIME_NOW : BigInt(modified.nanos);
}

/** File type bits of a mode. */
export const fileTypes = {
  mask: 0o170000,
  fifo: 0o010000,
  character: 0o020000,
  folder: 0o040000,
  block: 0o060000,
  regular: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

/** What statx(2) tells of an entry. */
export interface EntryFacts {
  /** Type and permission bits. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: bigint;
  /** Bytes. */
  readonly size: number;
  readonly accessed: FileTime;
  readonly modified: FileTime;
  /** Of a device. */
  readonly major: number;
  readonly minor: number;
  /** Of the file system. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** What an entry is, a symlink itself too; an empty name means the open folder or file. @throws LinuxError ENOENT. */
export function statEntry(folder: number, name: EntryName): EntryFacts {
  const prototype = "int statx(int folder, const void *name, int flags, unsigned int mask, void *facts)";
  const flags = AT_SYMLINK_NOFOLLOW | (name === "" ? AT_EMPTY_PATH : 0);
  callLibc({ syscall: "statx", path: name }, prototype, folder, native(name), flags, STATX_BASIC_STATS, statBuffer);
  return {
    links: statBuffer.readUInt32LE(16),
    uid: statBuffer.readUInt32LE(20),
    gid: statBuffer.readUInt32LE(24),
    mode: statBuffer.readUInt16LE(28),
    inode: statBuffer.readBigUInt64LE(32),
    size: Number(statBuffer.readBigUInt64LE(40)),
    accessed: timeAt(64),
    modified: timeAt(112),
    major: statBuffer.readUInt32LE(128),
    minor: statBuffer.readUInt32LE(132),
    deviceMajor: statBuffer.readUInt32LE(136),
    deviceMinor: statBuffer.readUInt32LE(140),
  };
}

function timeAt(offset: number): FileTime {
  return { seconds: Number(statBuffer.readBigInt64LE(offset)), nanos: statBuffer.readUInt32LE(offset + 8) };
}
