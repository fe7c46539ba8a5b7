import { closeSync } from "node:fs";
import { constants } from "node:os";
import { fileTypes, getEntryXattr, isLinuxError, LinuxError, openFolderEntry, readLinkEntry, statEntry } from "#linux";
import { entryParts } from "./entry-path.ts";

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
const symlinkLimit = 40;

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

  constructor(rootFd: number) {
    this.#root = this.#describe(rootFd, "");
  }

  /**
   * The folder that the parts lead to; `makeMissing` is asked for those that are not there.
   * @throws LinuxError ENOENT: one is missing; ENOTDIR: one is no folder; ELOOP.
   */
  resolve(parts: readonly string[], makeMissing?: MakeMissing): OpenFolder {
    const name = parts.join("/");
    // Never on the way: what the caller and the walk hold are the last ones used.
    this.#trim();
    const known = this.#find(this.#aliases.get(name) ?? name);
    if (known !== undefined) return known;
    const folder = this.#walk([...parts], makeMissing);
    if (folder.path !== name) this.#alias(name, folder.path);
    return folder;
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

  #walk(left: string[], makeMissing: MakeMissing | undefined): OpenFolder {
    let at: string[] = [];
    let folder = this.#root;
    for (let links = 0; left.length > 0; ) {
      const part = left.shift() ?? "";
      if (part === "..") {
        // Above a folder is where its resolved path says: it was opened on the way down.
        at = at.slice(0, -1);
        folder = this.#find(at.join("/")) ?? this.#walk([...at], undefined);
        continue;
      }
      const next = this.#open(folder, part, [...at, part].join("/"), makeMissing);
      if (typeof next !== "string") {
        at.push(part);
        folder = next;
        continue;
      }
      if (++links > symlinkLimit) throw new LinuxError({ errno: constants.errno.ELOOP, syscall: "openat", path: part });
      const target = next.split("/").filter((each) => each !== "" && each !== ".");
      left.unshift(...target);
      if (next.startsWith("/")) {
        at = [];
        folder = this.#root;
      }
    }
    return folder;
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
      if (!isLinuxError(error, "ENOTDIR", "ELOOP")) throw error;
      if ((statEntry(parent.fd, name).mode & fileTypes.mask) !== fileTypes.symlink) throw error;
      return readLinkEntry(parent.fd, name);
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

/** The folder of a name, and its last part; undefined: the name means the root itself. */
export function splitEntryName(name: string): { folder: string[]; base: string } | undefined {
  const parts = entryParts(name);
  const base = parts.pop();
  return base === undefined ? undefined : { folder: parts, base };
}
