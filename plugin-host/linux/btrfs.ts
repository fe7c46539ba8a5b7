import { closeSync, openSync } from "node:fs";
import { basename, dirname } from "node:path";
import { callLibc } from "./library.ts";

/** The ioctls of btrfs, as linux/btrfs.h numbers them: direction, bytes of the argument, 0x94, number. */
const SUBVOL_CREATE = 0x5000940e;
const SNAP_DESTROY = 0x5000940f;
const INO_LOOKUP = 0xd0009412;
const SNAP_CREATE_V2 = 0x50009417;
const SYNC = 0x9408;

/** Bytes of each argument. */
const argumentBytes = 4096;
/** Of btrfs_ioctl_vol_args. */
const nameOffset = 8;
/** Of btrfs_ioctl_vol_args_v2. */
const flagsOffset = 16;
const nameOffsetV2 = 56;
const READONLY_FLAG = 2n;
/** Object id of a subvolume's top folder, and its inode number. */
const firstFreeObject = 256n;

/** Makes an empty subvolume; its parent folder must be there. @throws LinuxError EEXIST, ENOTTY: no btrfs. */
export function createSubvolume(path: string): void {
  withFolder(dirname(path), (fd) => control(fd, "BTRFS_IOC_SUBVOL_CREATE", SUBVOL_CREATE, nameArgument(path), path));
}

/** Makes a subvolume of what another holds now. @throws LinuxError EEXIST, EINVAL: `source` is no subvolume. */
export function snapshotSubvolume(source: string, path: string, options: { readonly readonly: boolean }): void {
  withFolder(source, (from) => {
    const argument = Buffer.alloc(argumentBytes);
    argument.writeBigInt64LE(BigInt(from), 0);
    argument.writeBigUInt64LE(options.readonly ? READONLY_FLAG : 0n, flagsOffset);
    argument.write(basename(path), nameOffsetV2);
    withFolder(dirname(path), (fd) => control(fd, "BTRFS_IOC_SNAP_CREATE_V2", SNAP_CREATE_V2, argument, path));
  });
}

/** Deletes a subvolume with all in it but further subvolumes. @throws LinuxError ENOENT, ENOTEMPTY: it has such. */
export function deleteSubvolume(path: string): void {
  withFolder(dirname(path), (fd) => control(fd, "BTRFS_IOC_SNAP_DESTROY", SNAP_DESTROY, nameArgument(path), path));
}

/** The number of the subvolume that a folder is in, for the mount option `subvolid`. */
export function subvolumeId(path: string): bigint {
  const argument = Buffer.alloc(argumentBytes);
  argument.writeBigUInt64LE(firstFreeObject, 8);
  withFolder(path, (fd) => control(fd, "BTRFS_IOC_INO_LOOKUP", INO_LOOKUP, argument, path));
  return argument.readBigUInt64LE(0);
}

/** Puts everything of the btrfs that a folder is on to its disk; the thread waits. */
export function syncBtrfs(folder: string): void {
  withFolder(folder, (fd) => control(fd, "BTRFS_IOC_SYNC", SYNC, null, folder));
}

function nameArgument(path: string): Buffer {
  const argument = Buffer.alloc(argumentBytes);
  argument.write(basename(path), nameOffset);
  return argument;
}

function control(fd: number, name: string, request: number, argument: Buffer | null, path: string): void {
  const prototype = "int ioctl(int fd, unsigned long request, void *argument)";
  callLibc({ syscall: name, path }, prototype, fd, request, argument);
}

function withFolder(folder: string, work: (fd: number) => void): void {
  const fd = openSync(folder, "r");
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}
