import { closeSync, readdirSync } from "node:fs";
import { isLinuxError, openFolderEntry, removeFolderEntry, unlinkEntry, type EntryName } from "#linux";

/** Names in an open folder, a character a byte. */
export function namesIn(folder: number): EntryName[] {
  return readdirSync(`/proc/self/fd/${folder}`, { encoding: "latin1" });
}

/**
 * Removes an entry with all below it, by descriptors, so that nothing outside is met; one that is not there is well.
 * Gives what was removed.
 */
export function removeTree(folder: number, name: EntryName): "nothing" | "file" | "folder" {
  try {
    unlinkEntry(folder, name);
    return "file";
  } catch (error) {
    if (isLinuxError(error, "ENOENT")) return "nothing";
    if (!isLinuxError(error, "EISDIR", "EPERM")) throw error;
  }
  const fd = openFolderEntry(folder, name);
  try {
    for (const inner of namesIn(fd)) removeTree(fd, inner);
  } finally {
    closeSync(fd);
  }
  removeFolderEntry(folder, name);
  return "folder";
}
