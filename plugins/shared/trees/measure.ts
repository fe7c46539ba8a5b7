import { lstatSync, opendirSync, readdirSync, type Stats } from "node:fs";
import { rawPath, toBytePath, type BytePath } from "./byte-path.ts";

/** What a tree takes of its disk. */
export interface TreeUsage {
  /** Bytes of the blocks of its files, each file once however many names it has. */
  readonly size: number;
  /** Its files, folders and the top itself among them. */
  readonly inodes: number;
}

const blockBytes = 512;

/**
 * Measures a tree, symlinks not followed; what vanishes meanwhile does not count. Keeps the thread: 60,000 files take
 * a tenth of a second. Throws the system's error, of the top too when it is not there.
 */
export function measureTree(path: string): TreeUsage {
  return measure(path, namesIn) as TreeUsage;
}

/** The same for a tree of at most so many inodes; undefined: it has more, of which no more were looked at. */
export function measureSmallTree(path: string, limit: number): TreeUsage | undefined {
  return measure(path, (folder, inodes) => fewNamesIn(folder, limit - inodes));
}

/** Gives up where `list`, told how many inodes were counted, gives no names. */
function measure(
  path: string,
  list: (folder: BytePath, inodes: number) => string[] | undefined,
): TreeUsage | undefined {
  const top = toBytePath(path);
  const topStat = lstatSync(rawPath(top));
  let blocks = topStat.blocks;
  let inodes = 1;
  /** Files that have more names than one. */
  const seen = new Set<string>();
  const folders: BytePath[] = topStat.isDirectory() ? [top] : [];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const names = list(folder, inodes);
    if (names === undefined) return undefined;
    for (const name of names) {
      const entry = `${folder}/${name}`;
      const stat = lstatSync(rawPath(entry), { throwIfNoEntry: false });
      if (stat === undefined) continue;
      if (stat.isDirectory()) folders.push(entry);
      else if (stat.nlink > 1 && isSeen(seen, entry, stat)) continue;
      blocks += stat.blocks;
      inodes++;
    }
  }
  return { size: blocks * blockBytes, inodes };
}

function namesIn(folder: BytePath): string[] {
  try {
    return readdirSync(rawPath(folder), { encoding: "latin1" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Undefined: it has more than that. */
function fewNamesIn(folder: BytePath, limit: number): string[] | undefined {
  const names: string[] = [];
  try {
    using opened = opendirSync(rawPath(folder), { encoding: "latin1" });
    for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) {
      if (names.push(entry.name) > limit) return undefined;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return names;
}

/** Numbers of files may go beyond what a number of ours holds. */
function isSeen(seen: Set<string>, entry: BytePath, { dev }: Stats): boolean {
  const ino = lstatSync(rawPath(entry), { bigint: true, throwIfNoEntry: false })?.ino;
  const key = `${dev} ${ino}`;
  if (ino === undefined || seen.has(key)) return true;
  seen.add(key);
  return false;
}
