import { lstatSync, readdirSync, readlinkSync, type BigIntStats } from "node:fs";
import { getXattr } from "#linux";
import { rawPath, toBytePath, type BytePath } from "./byte-path.ts";
import type { TreeUsage } from "./measure.ts";
import { haveSameBytes } from "./same-bytes.ts";

const blockBytes = 512;
const billion = 1_000_000_000n;
/** The one attribute of which a change counts. */
const capability = "security.capability";

/**
 * Measures what tree `to` has that tree `from` has not, or otherwise; the tops and what is gone do not count. What is
 * other is containerd's idea (continuity fs.DiffUsage): mode, owner, device, capability; of files size and time, and
 * where both times are whole seconds the content. Keeps the thread; throws the system's error.
 */
export function measureChanges(from: string, to: string): TreeUsage {
  const [before, after] = [toBytePath(from), toBytePath(to)];
  const seen = new Set<string>();
  let blocks = 0;
  let inodes = 0;
  const folders: BytePath[] = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of readdirSync(rawPath(`${after}${folder}`), { encoding: "latin1" })) {
      const path = `${folder}/${name}`;
      const stat = statOf(`${after}${path}`);
      if (stat === undefined) continue;
      if (stat.isDirectory()) folders.push(path);
      const old = statOf(`${before}${path}`);
      if (old !== undefined && isSame({ path: `${before}${path}`, stat: old }, { path: `${after}${path}`, stat }))
        continue;
      const key = `${stat.dev} ${stat.ino}`;
      if (stat.nlink > 1n && !stat.isDirectory() && seen.has(key)) continue;
      seen.add(key);
      blocks += Number(stat.blocks);
      inodes++;
    }
  }
  return { size: blocks * blockBytes, inodes };
}

interface Entry {
  readonly path: BytePath;
  readonly stat: BigIntStats;
}

/** Undefined: there is nothing, or no folder above it. */
function statOf(path: BytePath): BigIntStats | undefined {
  try {
    return lstatSync(rawPath(path), { bigint: true });
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

function isSame(old: Entry, now: Entry): boolean {
  const [one, other] = [old.stat, now.stat];
  // The other is a snapshot of the one: an inode that was not touched since has its change time still.
  if (one.ino === other.ino && one.ctimeNs === other.ctimeNs && one.mode === other.mode) return true;
  if (one.mode !== other.mode || one.uid !== other.uid || one.gid !== other.gid || one.rdev !== other.rdev)
    return false;
  if (capabilityOf(old) !== capabilityOf(now)) return false;
  return one.isDirectory() || hasSameContent(old, now);
}

function capabilityOf({ path }: Entry): string | undefined {
  return getXattr(rawPath(path), capability)?.toString("latin1");
}

function hasSameContent(old: Entry, now: Entry): boolean {
  const [one, other] = [old.stat, now.stat];
  if (one.size !== other.size || one.mtimeNs / billion !== other.mtimeNs / billion) return false;
  const [fraction, otherFraction] = [one.mtimeNs % billion, other.mtimeNs % billion];
  if (fraction !== 0n || otherFraction !== 0n) return fraction === otherFraction;
  if (one.isSymbolicLink()) return readLink(old.path) === readLink(now.path);
  return !one.isFile() || haveSameBytes(old.path, now.path);
}

function readLink(path: BytePath): string {
  return readlinkSync(rawPath(path), { encoding: "latin1" });
}
