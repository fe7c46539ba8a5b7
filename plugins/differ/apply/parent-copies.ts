import { closeSync, openSync, constants } from "node:fs";
import {
  chmodEntry,
  fileTypes,
  getEntryXattr,
  isLinuxError,
  listEntryXattrs,
  makeFolderEntry,
  ownEntry,
  setEntryTimes,
  setEntryXattr,
  statEntry,
} from "#linux";
import { OpenFolders, type OpenFolder } from "./open-folders.ts";

interface Lower {
  readonly fd: number;
  readonly folders: OpenFolders;
}

/**
 * Folders that a layer does not tell of but needs: made 0755, and where a lower layer of the overlay has one, with its
 * owner, mode, times and attributes, as a copy-up would. Owns: descriptors of the lower layers.
 */
export class ParentCopies implements Disposable {
  readonly #paths: readonly string[];
  /** Opened when first needed, which most layers never do. */
  #lowers: Lower[] | undefined;

  /** `paths` are the lower folders, nearest first. */
  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** Makes the folder `name` of `parent`, which is `path` below the root. */
  make(parent: OpenFolder, name: string, path: string): void {
    makeFolderEntry(parent.fd, name, 0o755);
    // A folder that passes its group on has made its own with setgid; containerd asks for 0755 alone.
    if (parent.bequeaths) chmodEntry(parent.fd, name, 0o755);
    this.#lowers ??= this.#paths.flatMap(openLower);
    for (const { folders } of this.#lowers) {
      const found = find(folders, path);
      if (found === "absent") continue;
      if (found !== "no folder") copyAttributes(found, parent.fd, name);
      return;
    }
  }

  [Symbol.dispose](): void {
    for (const { fd, folders } of this.#lowers ?? []) {
      folders[Symbol.dispose]();
      closeSync(fd);
    }
  }
}

/** One that is not there has nothing to copy from. */
function openLower(path: string): Lower[] {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    return [{ fd, folders: new OpenFolders(fd) }];
  } catch (error) {
    if (isLinuxError(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

function find(folders: OpenFolders, path: string): OpenFolder | "absent" | "no folder" {
  try {
    return folders.resolve(path);
  } catch (error) {
    if (isLinuxError(error, "ENOENT")) return "absent";
    if (isLinuxError(error, "ENOTDIR")) return "no folder";
    throw error;
  }
}

function copyAttributes(from: OpenFolder, parent: number, name: string): void {
  const { uid, gid, mode, accessed, modified } = statEntry(from.fd, "");
  ownEntry(parent, name, uid, gid);
  chmodEntry(parent, name, mode & ~fileTypes.mask);
  setEntryTimes(parent, name, accessed, modified);
  for (const key of listEntryXattrs(from.fd, "")) {
    if (key.startsWith("trusted.")) continue;
    const value = getEntryXattr(from.fd, "", key);
    if (value !== undefined) setEntryXattr(parent, name, key, value, "create");
  }
}
