import { fileTypes, setEntryTimes, setOpenTimes, statEntry, type FileTime } from "#linux";
import { splitEntryName, type OpenFolders } from "./open-folders.ts";

/** Times that a folder gets once nothing more is made in it. */
export interface FolderTimes {
  /** Below the root, symlinks resolved when it was made. */
  readonly path: string;
  readonly accessed: FileTime;
  readonly modified: FileTime;
}

/** Sets them in the archive's order; what is no folder any more is followed as containerd does. */
export function setFolderTimes(folders: OpenFolders, all: readonly FolderTimes[]): void {
  for (const { path, accessed, modified } of all) {
    const split = splitEntryName(path);
    if (split === undefined) continue;
    const parent = folders.resolve(split.folder);
    const isLink = (statEntry(parent.fd, split.base).mode & fileTypes.mask) === fileTypes.symlink;
    if (isLink) setOpenTimes(folders.resolve([...split.folder, split.base]).fd, accessed, modified);
    else setEntryTimes(parent.fd, split.base, accessed, modified);
  }
}
