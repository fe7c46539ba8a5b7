import { constants } from "node:os";
import { fileTypes, LinuxError, readLinkEntry, setEntryTimes, setOpenTimes, statEntry, type FileTime } from "#linux";
import { splitEntryName, type OpenFolders } from "./open-folders.ts";

/** Times that a folder gets once nothing more is made in it. */
export interface FolderTimes {
  /** Its name in the archive. */
  readonly name: string;
  readonly accessed: FileTime;
  readonly modified: FileTime;
}

/** As the kernel's own bound. */
const symlinkLimit = 40;

/**
 * Sets them in the archive's order, on what the names mean by now, symlinks followed below the root: so does
 * containerd. @throws LinuxError ENOENT: one means nothing any more.
 */
export function setFolderTimes(folders: OpenFolders, all: readonly FolderTimes[]): void {
  for (const times of all) setTimes(folders, times);
}

function setTimes(folders: OpenFolders, { name, accessed, modified }: FolderTimes): void {
  let at = name;
  for (let links = 0; links <= symlinkLimit; links++) {
    const split = splitEntryName(at);
    if (split === undefined) return setOpenTimes(folders.resolve([]).fd, accessed, modified);
    const parent = folders.resolve(split.folder);
    const isLink = (statEntry(parent.fd, split.base).mode & fileTypes.mask) === fileTypes.symlink;
    if (!isLink) return setEntryTimes(parent.fd, split.base, accessed, modified);
    const target = readLinkEntry(parent.fd, split.base);
    at = target.startsWith("/") ? target : `${parent.path}/${target}`;
  }
  throw new LinuxError({ errno: constants.errno.ELOOP, syscall: "utimensat", path: name });
}
