import {
  chmodSync,
  closeSync,
  constants,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  type BigIntStats,
} from "node:fs";
import { getXattr, listXattrs, makeNode, setTimes, setXattr, syncFileSystem } from "#linux";
import { rawPath, toBytePath, type BytePath } from "./byte-path.ts";
import { copyData } from "./copy-data.ts";

const permissionBits = 0o7777n;

/** Where a file with several names was copied to, and how many of its names are still to come. */
interface Linked {
  readonly copy: BytePath;
  namesLeft: bigint;
}

/**
 * Copies what is in folder `from` to folder `to`, which is there and empty, and gives that the attributes of `from`:
 * owners, modes, times to the nanosecond, hard links, devices, FIFOs, sockets and holes stay what they are; extended
 * attributes as far as they can be set, as containerd's native snapshotter does it. On disk when this returns. Keeps the
 * thread; holds one folder's
 * names and those files that have further names. Throws the system's error.
 */
export function copyTree(from: string, to: string): void {
  const [source, target] = [toBytePath(from), toBytePath(to)];
  copyFolderContents(source, target, new Map());
  copyAttributes(source, target, lstatSync(rawPath(source), { bigint: true }));
  flush(to);
}

/** One flush of the whole file system takes less than one a file. */
function flush(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    syncFileSystem(fd);
  } finally {
    closeSync(fd);
  }
}

function copyFolderContents(from: BytePath, to: BytePath, linked: Map<string, Linked>): void {
  for (const name of readdirSync(rawPath(from), { encoding: "latin1" })) {
    const [source, target] = [`${from}/${name}`, `${to}/${name}`];
    const stat = lstatSync(rawPath(source), { bigint: true });
    if (stat.isDirectory()) {
      mkdirSync(rawPath(target), 0o700);
      copyFolderContents(source, target, linked);
    } else if (linkAgain(linked, stat, target)) {
      continue;
    } else {
      copyEntry(source, target, stat);
      if (stat.nlink > 1n) linked.set(keyOf(stat), { copy: target, namesLeft: stat.nlink - 1n });
    }
    copyAttributes(source, target, stat); // a folder's after its contents, which change its times
  }
}

/** Gives a file that was copied already its next name. */
function linkAgain(linked: Map<string, Linked>, stat: BigIntStats, target: BytePath): boolean {
  const first = stat.nlink > 1n ? linked.get(keyOf(stat)) : undefined;
  if (first === undefined) return false;
  linkSync(rawPath(first.copy), rawPath(target));
  first.namesLeft--;
  if (first.namesLeft === 0n) linked.delete(keyOf(stat));
  return true;
}

function keyOf({ dev, ino }: BigIntStats): string {
  return `${dev} ${ino}`;
}

function copyEntry(source: BytePath, target: BytePath, stat: BigIntStats): void {
  if (stat.isFile()) {
    copyData(rawPath(source), rawPath(target), stat);
  } else if (stat.isSymbolicLink()) {
    symlinkSync(readlinkSync(rawPath(source), { encoding: "buffer" }), rawPath(target));
  } else {
    makeNode(rawPath(target), Number(stat.mode & BigInt(constants.S_IFMT)) | 0o600, stat.rdev);
  }
}

/** Owner before mode, since a new owner costs the setuid bits; times last. */
function copyAttributes(source: BytePath, target: BytePath, stat: BigIntStats): void {
  const path = rawPath(target);
  lchownSync(path, Number(stat.uid), Number(stat.gid));
  copyXattrs(rawPath(source), path);
  if (!stat.isSymbolicLink()) chmodSync(path, Number(stat.mode & permissionBits));
  setTimes(path, stat);
}

/** As many as the file system takes. */
function copyXattrs(source: Buffer, target: Buffer): void {
  for (const name of attempt(() => listXattrs(source)) ?? []) {
    attempt(() => {
      const value = getXattr(source, name);
      if (value !== undefined) setXattr(target, name, value);
    });
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
