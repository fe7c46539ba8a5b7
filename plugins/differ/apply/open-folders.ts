import { closeSync } from "node:fs";
import { constants } from "node:os";
import { posix } from "node:path";
import { fileTypes, getEntryXattr, isLinuxError, LinuxError, openFolderEntry, readLinkEntry, statEntry } from "#linux";
import { partsOf, splitEntryName } from "./entry-name.ts";
import { rootPath } from "./root-path.ts";

/** A folder of the tree, held open. */
export interface OpenFolder {
  readonly fd: number;
  /** Where it is below the root, symlinks resolved; "" is the root. */
  readonly path: string;
  /** New entries take more from it than what they are made with: its group, or a default ACL. */
  readonly bequeaths: boolean;
}

/** Makes a folder that is missing, with what is above it there already. */
export type MakeMissing = (parent: OpenFolder, name: string, path: string) => void;

/** Held open from one name to the next. */
const heldFolders = 128;
/** As the kernel's own bound. */
const kernelLinkLimit = 40;

/**
 * Folders of one tree by their names in archives. Each is opened by its parent's descriptor and its bare name, symlinks
 * are followed by hand from the root down: whatever the tree holds, and whoever changes it meanwhile, no name leads out.
 * Owns: the descriptors, but not the root's.
 */
export class OpenFolders implements Disposable {
  readonly #root: OpenFolder;
  /** By resolved path, the least used first. */
  readonly #held = new Map<string, OpenFolder>();
  /** What a name with symlinks in it was resolved to. */
  readonly #aliases = new Map<string, string>();
  #metMissing = false;

  constructor(rootFd: number) {
    this.#root = this.#describe(rootFd, "");
  }

  /**
   * The folder that a name leads to; `makeMissing` is asked for those that are not there.
   * @throws LinuxError ENOENT: one is missing; ENOTDIR: one is no folder. HostError unknown: too many symlinks.
   */
  resolve(name: string, makeMissing?: MakeMissing): OpenFolder {
    // Never on the way: what the caller and the walk hold are the last ones used.
    this.#trim();
    const known = this.#plain(this.#aliases.get(name) ?? name, makeMissing);
    if (known !== undefined) return known;
    this.#metMissing = false;
    const path = this.#rootPath(name);
    // What was missing on the way may become a link.
    const isLasting = !this.#metMissing;
    const folder = this.#plain(path.slice(1), makeMissing);
    if (folder === undefined) throw tooManyLinks(path); // somebody makes links meanwhile
    if (isLasting) this.#alias(name, folder.path);
    return folder;
  }

  /**
   * Where a name leads, symlinks resolved, beginning with `/` at the root; what it leads to need not be there.
   * @throws as resolve.
   */
  pathOf(name: string): string {
    this.#trim();
    const split = splitEntryName(name);
    const folder = split && this.#plain(split.folder, undefined);
    const isPlain = folder !== undefined && linkOf(folder, split?.base ?? "") === undefined;
    return isPlain ? posix.join("/", name) : this.#rootPath(name);
  }

  /** Forgets everything; folders that were given are closed. */
  forget(): void {
    for (const { fd } of this.#held.values()) closeSync(fd);
    this.#held.clear();
    this.#aliases.clear();
  }

  /** Forgets what was entered through an entry that was taken away; the folder it was in stays open. */
  forgetBelow(folder: OpenFolder, base: string): void {
    const gone = folder.path === "" ? base : `${folder.path}/${base}`;
    for (const [path, { fd }] of this.#held) {
      if (path !== gone && !path.startsWith(`${gone}/`)) continue;
      closeSync(fd);
      this.#held.delete(path);
    }
    this.#aliases.clear();
  }

  /** Forgets one, whose own attributes have changed. */
  forgetOne(path: string): void {
    const folder = this.#held.get(path);
    if (folder === undefined) return;
    closeSync(folder.fd);
    this.#held.delete(path);
  }

  [Symbol.dispose](): void {
    this.forget();
  }

  #find(path: string): OpenFolder | undefined {
    if (path === "") return this.#root;
    const folder = this.#held.get(path);
    if (folder === undefined) return undefined;
    this.#held.delete(path);
    this.#held.set(path, folder);
    return folder;
  }

  /** Undefined: there is a symlink or `..` on the way. */
  #plain(name: string, makeMissing: MakeMissing | undefined): OpenFolder | undefined {
    const held = this.#find(name);
    if (held !== undefined) return held;
    const parts = partsOf(name);
    if (parts.includes("..")) return undefined;
    let folder = this.#root;
    for (const part of parts) {
      const next = this.#open(folder, part, pathBelow(folder, part), makeMissing);
      if (typeof next === "string") return undefined;
      folder = next;
    }
    return folder;
  }

  #rootPath(name: string): string {
    return rootPath(name, (path) => this.#linkAt(path));
  }

  /** The symlink at a path below the root. What lies behind links that leave the tree is not there. */
  #linkAt(path: string): string | undefined {
    const left = partsOf(path);
    let folder = this.#root;
    try {
      for (let links = 0; left.length > 1; ) {
        const part = left.shift() ?? "";
        const next = part === ".." ? this.#above(folder) : this.#open(folder, part, pathBelow(folder, part), undefined);
        if (next === undefined) return undefined;
        if (typeof next !== "string") {
          folder = next;
          continue;
        }
        if (next.startsWith("/")) return undefined;
        if (++links > kernelLinkLimit) throw tooManyLinks(path);
        left.unshift(...partsOf(next));
      }
      return linkOf(folder, left[0] ?? "");
    } catch (error) {
      if (!isLinuxError(error, "ENOENT")) throw error;
      this.#metMissing = true;
      return undefined;
    }
  }

  /** By its resolved path: it was opened on the way down. */
  #above({ path }: OpenFolder): OpenFolder | undefined {
    return path === "" ? undefined : this.#plain(path.slice(0, Math.max(0, path.lastIndexOf("/"))), undefined);
  }

  /** The folder, or the target of a symlink in its place. */
  #open(parent: OpenFolder, name: string, path: string, makeMissing: MakeMissing | undefined): OpenFolder | string {
    const held = this.#find(path);
    if (held !== undefined) return held;
    try {
      return this.#hold(openFolderEntry(parent.fd, name), path);
    } catch (error) {
      if (isLinuxError(error, "ENOENT") && makeMissing !== undefined) {
        makeMissing(parent, name, path);
        return this.#hold(openFolderEntry(parent.fd, name), path);
      }
      const link = isLinuxError(error, "ENOTDIR", "ELOOP") ? linkOf(parent, name) : undefined;
      if (link === undefined) throw error;
      return link;
    }
  }

  #hold(fd: number, path: string): OpenFolder {
    const folder = this.#describe(fd, path);
    this.#held.set(path, folder);
    return folder;
  }

  #trim(): void {
    for (const [path, { fd }] of this.#held) {
      if (this.#held.size <= heldFolders) return;
      closeSync(fd);
      this.#held.delete(path);
    }
  }

  #alias(name: string, path: string): void {
    if (this.#aliases.size >= heldFolders) this.#aliases.clear();
    this.#aliases.set(name, path);
  }

  #describe(fd: number, path: string): OpenFolder {
    const setsGroup = (statEntry(fd, "").mode & 0o2000) !== 0;
    const bequeaths = setsGroup || getEntryXattr(fd, "", "system.posix_acl_default") !== undefined;
    return { fd, path, bequeaths };
  }
}

/** The target of a symlink; undefined: it is something else. */
function linkOf(parent: OpenFolder, name: string): string | undefined {
  const isLink = (statEntry(parent.fd, name).mode & fileTypes.mask) === fileTypes.symlink;
  return isLink ? readLinkEntry(parent.fd, name) : undefined;
}

function pathBelow({ path }: OpenFolder, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}

function tooManyLinks(path: string): LinuxError {
  return new LinuxError({ errno: constants.errno.ELOOP, syscall: "openat", path });
}
