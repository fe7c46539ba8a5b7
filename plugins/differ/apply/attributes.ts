import { fchmodSync, fchownSync } from "node:fs";
import { fileTypes, chmodEntry, isLinuxError, ownEntry, setEntryTimes, setEntryXattr, statEntry } from "#linux";
import { typeFlags, type TarHeader } from "../tar/header.ts";
import { timesOf } from "./entry-times.ts";
import type { EntryPlace } from "./make-entry.ts";
import type { OnIgnored } from "./layer-writer.ts";

const xattrPrefix = "SCHILY.xattr.";
/** Bits that making a file may not give it: those the umask takes, and those that a change of owner does. */
const unsureBits = 0o7022;
const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

/**
 * Owner, attributes and mode of a plain file just made, in this order: each may take the next away. What it was made
 * with already is left out, for a call each is what small files cost.
 */
export function applyOpenAttributes(fd: number, place: EntryPlace, onIgnored: OnIgnored): void {
  const { header, folder } = place;
  const [uid, gid] = [header.uid >>> 0, header.gid >>> 0];
  if (uid !== own.uid || gid !== own.gid || folder.bequeaths) fchownSync(fd, uid, gid);
  if (header.pax !== undefined) setXattrs(place, onIgnored);
  if ((header.mode & unsureBits) !== 0 || folder.bequeaths) fchmodSync(fd, header.mode & 0o7777);
}

/** The same for every other entry, with times; "changed": it was given more than owner, mode and times. */
export function applyAttributes(place: EntryPlace, onIgnored: OnIgnored): "changed" | "plain" {
  const { header, folder, base } = place;
  ownEntry(folder.fd, base, header.uid >>> 0, header.gid >>> 0);
  const hasXattrs = header.pax !== undefined && setXattrs(place, onIgnored);
  if (!isSymlink(place)) chmodEntry(folder.fd, base, header.mode & 0o7777);
  const { accessed, modified } = timesOf(header);
  setEntryTimes(folder.fd, base, accessed, modified);
  return hasXattrs || (header.mode & 0o2000) !== 0 ? "changed" : "plain";
}

function isSymlink({ header, folder, base }: EntryPlace): boolean {
  if (header.type === typeFlags.symlink) return true;
  // A link may have been made to one.
  if (header.type !== typeFlags.hardLink) return false;
  return (statEntry(folder.fd, base).mode & fileTypes.mask) === fileTypes.symlink;
}

function setXattrs({ header, folder, base }: EntryPlace, onIgnored: OnIgnored): boolean {
  let any = false;
  for (const [record, value] of header.pax ?? []) {
    if (!record.startsWith(xattrPrefix)) continue;
    const key = record.slice(xattrPrefix.length);
    if (key.startsWith("trusted.")) {
      onIgnored(`attribute ${key} of ${header.name}: not taken from archives`);
      continue;
    }
    try {
      setEntryXattr(folder.fd, base, key, Buffer.from(value, "latin1"));
      any = true;
    } catch (error) {
      if (!isIgnored(error, key, header)) throw error;
      onIgnored(`attribute ${key} of ${header.name}: not supported here`);
    }
  }
  return any;
}

/** What containerd goes on without: an attribute nobody keeps, and those of users on what is no file or folder. */
function isIgnored(error: unknown, key: string, { type }: TarHeader): boolean {
  if (isLinuxError(error, "ENOTSUP", "EOPNOTSUPP")) return true;
  const isSpecial = type !== typeFlags.regular && type !== typeFlags.folder;
  return isLinuxError(error, "EPERM") && key.startsWith("user.") && isSpecial;
}
