import { closeSync, constants, readSync } from "node:fs";
import { fileTypes, getEntryXattr, openEntry, readLinkEntry, type EntryFacts, type EntryName } from "#linux";

/** An entry of one of two trees. */
export interface TreeEntry {
  /** Open folder that holds it. */
  readonly folder: number;
  readonly name: EntryName;
  readonly facts: EntryFacts;
}

const compareBytes = 64 * 1024;

export function isFolder({ mode }: EntryFacts): boolean {
  return (mode & fileTypes.mask) === fileTypes.folder;
}

/** Whether an entry of the upper tree is as it was in the lower (continuity fs/diff.go, sameFile). */
export function isSameEntry(lower: TreeEntry, upper: TreeEntry): boolean {
  const [one, other] = [lower.facts, upper.facts];
  if (isSameInode(one, other)) return true;
  const isLike = one.mode === other.mode && one.uid === other.uid && one.gid === other.gid;
  if (!isLike || one.major !== other.major || one.minor !== other.minor) return false;
  if (!hasSameCapabilities(lower, upper)) return false;
  if (isFolder(one)) return true;
  if (one.size !== other.size || one.modified.seconds !== other.modified.seconds) return false;
  if (one.modified.nanos !== other.modified.nanos) return false;
  // Times that may have been cut to seconds say nothing.
  return one.modified.nanos !== 0 || hasSameContent(lower, upper);
}

function isSameInode(one: EntryFacts, other: EntryFacts): boolean {
  return one.inode === other.inode && one.deviceMajor === other.deviceMajor && one.deviceMinor === other.deviceMinor;
}

function hasSameCapabilities(lower: TreeEntry, upper: TreeEntry): boolean {
  const [one, other] = [lower, upper].map(capabilityOf);
  return one === undefined || other === undefined ? one === other : one.equals(other);
}

/** The file capabilities of an entry, as the kernel stores them; undefined: none. */
export function capabilityOf({ folder, name }: TreeEntry): Buffer | undefined {
  return getEntryXattr(folder, name, "security.capability");
}

function hasSameContent(lower: TreeEntry, upper: TreeEntry): boolean {
  if ((lower.facts.mode & fileTypes.mask) === fileTypes.symlink) {
    return readLinkEntry(lower.folder, lower.name) === readLinkEntry(upper.folder, upper.name);
  }
  if (lower.facts.size === 0) return true;
  const one = openEntry(lower.folder, lower.name, constants.O_RDONLY);
  try {
    const other = openEntry(upper.folder, upper.name, constants.O_RDONLY);
    try {
      return hasSameBytes(one, other);
    } finally {
      closeSync(other);
    }
  } finally {
    closeSync(one);
  }
}

function hasSameBytes(one: number, other: number): boolean {
  const [left, right] = [Buffer.allocUnsafe(compareBytes), Buffer.allocUnsafe(compareBytes)];
  for (;;) {
    const bytes = readSync(one, left);
    if (readSync(other, right) !== bytes) return false;
    if (bytes === 0) return true;
    if (left.compare(right, 0, bytes, 0, bytes) !== 0) return false;
  }
}
