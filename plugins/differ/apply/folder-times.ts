import { setEntryTimes, setOpenTimes, type FileTime } from "#linux";
import { splitEntryName } from "./entry-name.ts";
import type { OpenFolders } from "./open-folders.ts";

/** Times that a folder gets once nothing more is made in it. */
export interface FolderTimes {
  /** Its name in the archive. */
  readonly name: string;
  readonly accessed: FileTime;
  readonly modified: FileTime;
}

/**
 * Sets them in the archive's order, on what the names mean by now, symlinks followed below the root: so does
 * containerd. @throws LinuxError ENOENT: one means nothing any more.
 */
export function setFolderTimes(folders: OpenFolders, all: readonly FolderTimes[]): void {
  for (const { name, accessed, modified } of all) {
    const split = splitEntryName(folders.pathOf(name));
    if (split === undefined) setOpenTimes(folders.resolve("").fd, accessed, modified);
    else setEntryTimes(folders.resolve(split.folder).fd, split.base, accessed, modified);
  }
}
