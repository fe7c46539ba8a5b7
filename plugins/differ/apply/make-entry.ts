import { HostError } from "#proto/wire/errors.ts";
import {
  deviceNumber,
  fileTypes,
  isLinuxError,
  linkEntry,
  makeFolderEntry,
  makeNodeEntry,
  makeSymlinkEntry,
  nodeTypes,
  statEntry,
} from "#linux";
import { typeFlags, type TarHeader } from "../tar/header.ts";
import { splitEntryName } from "./entry-name.ts";
import { isUserNamespace } from "./user-namespace.ts";
import type { OpenFolder, OpenFolders } from "./open-folders.ts";

/** An entry and where it goes. */
export interface EntryPlace {
  readonly header: TarHeader;
  readonly folder: OpenFolder;
  readonly base: string;
}

/**
 * Makes what is no plain file. `remove` takes away what is in its place; a folder that is there stays, and is "merged".
 * "skipped": a device where there may be none. Throws unknown for a type that layers do not have, with what was there
 * removed, too.
 */
export function makeEntry(
  place: EntryPlace & { readonly folders: OpenFolders },
  remove: () => void,
): "made" | "merged" | "skipped" {
  if (place.header.type === typeFlags.folder) return makeFolder(place, remove);
  try {
    return make(place);
  } catch (error) {
    // What it would have replaced is gone all the same: containerd removes first.
    remove();
    if (!isLinuxError(error, "EEXIST")) throw error;
    return make(place);
  }
}

function makeFolder({ header, folder, base }: EntryPlace, remove: () => void): "made" | "merged" {
  try {
    makeFolderEntry(folder.fd, base, header.mode & 0o7777);
    return "made";
  } catch (error) {
    if (!isLinuxError(error, "EEXIST")) throw error;
  }
  if ((statEntry(folder.fd, base).mode & fileTypes.mask) === fileTypes.folder) return "merged";
  remove();
  makeFolderEntry(folder.fd, base, header.mode & 0o7777);
  return "made";
}

function make({ header, folder, base, folders }: EntryPlace & { readonly folders: OpenFolders }): "made" | "skipped" {
  const mode = header.mode & 0o7777;
  switch (header.type) {
    case typeFlags.symlink:
      makeSymlinkEntry(folder.fd, base, header.linkName);
      return "made";
    case typeFlags.hardLink:
      makeLink(header, folder, base, folders);
      return "made";
    case typeFlags.fifo:
      makeNodeEntry(folder.fd, base, nodeTypes.fifo | mode);
      return "made";
    case typeFlags.character:
    case typeFlags.block:
      return makeDevice(header, folder, base);
    default:
      throw new HostError("unknown", `unhandled tar header type ${header.type.charCodeAt(0)}`);
  }
}

/** The target is looked for in the tree like any name; a link to it is one to a symlink itself. */
function makeLink({ name, linkName }: TarHeader, folder: OpenFolder, base: string, folders: OpenFolders): void {
  const split = splitLinkName(linkName, folders);
  if (split === undefined) throw new HostError("unknown", `link ${name}: its target is the root itself`);
  linkEntry(folders.resolve(split.folder).fd, split.base, folder.fd, base);
}

/** Unlike the name of an entry, whose `..` goes up by the text, it may lead up through links. */
function splitLinkName(linkName: string, folders: OpenFolders): ReturnType<typeof splitEntryName> {
  const slash = linkName.lastIndexOf("/");
  const [folder, base] = [linkName.slice(0, Math.max(0, slash)), linkName.slice(slash + 1)];
  const isName = base !== "" && base !== "." && base !== "..";
  return isName ? { folder, base } : splitEntryName(`${folders.pathOf(folder)}/${base}`);
}

function makeDevice({ type, mode, major, minor }: TarHeader, folder: OpenFolder, base: string): "made" | "skipped" {
  const kind = type === typeFlags.character ? nodeTypes.character : nodeTypes.block;
  try {
    makeNodeEntry(folder.fd, base, kind | (mode & 0o7777), deviceNumber(major, minor));
    return "made";
  } catch (error) {
    if (isLinuxError(error, "EPERM") && isUserNamespace()) return "skipped";
    throw error;
  }
}
