import { lstatSync, readdirSync, rmSync } from "node:fs";
import { createSubvolume, deleteSubvolume, isLinuxError, snapshotSubvolume, syncBtrfs } from "#linux";

/** Inode number of a subvolume's top folder. */
const topInode = 256;

/** Makes a subvolume, empty or of what `source` holds; it is on disk when this returns. */
export function makeSubvolume(path: string, source: string | undefined, isReadonly: boolean): void {
  if (source === undefined) createSubvolume(path);
  else snapshotSubvolume(source, path, { readonly: isReadonly });
  syncBtrfs(path);
}

/** Deletes subvolumes with those inside them; those that are not there too, and what is no subvolume. */
export function removeSubvolumes(paths: readonly string[]): void {
  for (const path of paths) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.ino === topInode && found.isDirectory()) removeSubvolume(path);
    else rmSync(path, { recursive: true, force: true });
  }
}

function removeSubvolume(path: string): void {
  try {
    deleteSubvolume(path);
  } catch (error) {
    if (!isLinuxError(error, "ENOTEMPTY")) throw error;
    removeInner(path);
    deleteSubvolume(path);
  }
}

function removeInner(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = `${folder}/${entry.name}`;
    if (lstatSync(path).ino === topInode) removeSubvolume(path);
    else removeInner(path);
  }
}
