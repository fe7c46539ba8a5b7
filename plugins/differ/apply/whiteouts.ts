import { HostError } from "#proto/wire/errors.ts";
import { makeNodeEntry, nodeTypes, openFolderEntry, ownEntry, setEntryXattr } from "#linux";
import { closeSync } from "node:fs";
import type { TarHeader } from "../tar/header.ts";
import type { OpenFolder } from "./open-folders.ts";
import { namesIn, removeTree } from "./remove-tree.ts";
import type { WrittenPaths } from "./written-paths.ts";

const prefix = ".wh.";
const opaqueName = ".wh..wh..opq";

/** What a name asks for: a plain entry, an empty folder below, or that something is gone. */
export type Whiteout =
  | { readonly kind: "none" }
  | { readonly kind: "opaque" }
  | { readonly kind: "removed"; readonly name: string };

/** Throws unknown for a whiteout of what is not in its own folder. */
export function whiteoutOf(base: string): Whiteout {
  if (base === opaqueName) return { kind: "opaque" };
  if (!base.startsWith(prefix)) return { kind: "none" };
  const name = base.slice(prefix.length);
  if (name === "" || name === "." || name === "..") {
    throw new HostError("unknown", `invalid whiteout name: ${base}: invalid archive`);
  }
  return { kind: "removed", name };
}

/** Carries out whiteouts on a tree. */
export interface WhiteoutRule {
  remove(folder: OpenFolder, name: string, header: TarHeader): void;
  empty(folder: OpenFolder): void;
}

/** On the upper folder of an overlay: marks for the kernel. */
export const overlayWhiteouts: WhiteoutRule = {
  remove(folder, name, { uid, gid }) {
    makeNodeEntry(folder.fd, name, nodeTypes.character, 0n);
    ownEntry(folder.fd, name, uid >>> 0, gid >>> 0);
  },
  empty(folder) {
    setEntryXattr(folder.fd, "", "trusted.overlay.opaque", Buffer.from("y"));
  },
};

/** On a plain tree: what is hidden is removed, but nothing that this layer has written. */
export function plainWhiteouts(written: WrittenPaths | undefined): WhiteoutRule {
  return {
    remove(folder, name) {
      removeTree(folder.fd, name);
    },
    empty(folder) {
      // Where the tree was empty before the layer there is nothing to hide.
      if (written !== undefined) removeUnwritten(folder.fd, folder.path, written);
    },
  };
}

function removeUnwritten(fd: number, path: string, written: WrittenPaths): void {
  for (const name of namesIn(fd)) {
    if (!written.has(path, name)) {
      removeTree(fd, name);
      continue;
    }
    const inner = openFolderOrNot(fd, name);
    if (inner === undefined) continue;
    try {
      removeUnwritten(inner, path === "" ? name : `${path}/${name}`, written);
    } finally {
      closeSync(inner);
    }
  }
}

function openFolderOrNot(fd: number, name: string): number | undefined {
  try {
    return openFolderEntry(fd, name);
  } catch {
    return undefined; // a file, or a link
  }
}
