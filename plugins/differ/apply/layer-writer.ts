import { closeSync, constants, ftruncateSync, openSync, writeSync } from "node:fs";
import { HostError } from "#proto/wire/errors.ts";
import { isLinuxError, openEntry, setOpenTimes, syncFileSystem } from "#linux";
import { typeFlags, type TarHeader } from "../tar/header.ts";
import type { EntrySink } from "../tar/tar-reader.ts";
import { applyAttributes, applyOpenAttributes } from "./attributes.ts";
import { DiskGuard } from "./disk-guard.ts";
import { splitEntryName } from "./entry-name.ts";
import { timesOf } from "./entry-times.ts";
import type { ApplyLimits } from "./limits.ts";
import { makeEntry } from "./make-entry.ts";
import { OpenFolders, type OpenFolder } from "./open-folders.ts";
import { ParentCopies } from "./parent-copies.ts";
import { namesIn, removeTree } from "./remove-tree.ts";
import { setFolderTimes, type FolderTimes } from "./folder-times.ts";
import { overlayWhiteouts, plainWhiteouts, whiteoutOf, type WhiteoutRule } from "./whiteouts.ts";
import { WrittenPaths } from "./written-paths.ts";

export interface LayerTarget {
  /** Folder that becomes the tree. */
  readonly root: string;
  /** The upper folder of an overlay: whiteouts are its marks, and folders in between come from `lowers`. */
  readonly overlay: boolean;
  /** Lower folders, nearest first. */
  readonly lowers: readonly string[];
}

const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/** Hears of what an archive has and this system does not take. */
export type OnIgnored = (what: string) => void;

/**
 * Writes the entries of a layer below a folder, as containerd's archive.Apply does (archive/tar.go). Everything is done
 * from open folders by bare names: nothing outside the root is ever touched. Owns: its descriptors.
 */
export class LayerWriter implements EntrySink, Disposable {
  readonly #rootFd: number;
  readonly #folders: OpenFolders;
  readonly #parents: ParentCopies;
  readonly #written: WrittenPaths | undefined;
  readonly #whiteouts: WhiteoutRule;
  readonly #limits: ApplyLimits;
  readonly #guard: DiskGuard;
  readonly #folderTimes: FolderTimes[] = [];
  readonly #onIgnored: OnIgnored;
  #entries = 0;
  /** The plain file that is being written; -1: none. */
  #fd = -1;
  #header: TarHeader | undefined;
  #file: { readonly folder: OpenFolder; readonly base: string } | undefined;
  #fileEnd = 0;
  #name: string | undefined;

  constructor(target: LayerTarget, limits: ApplyLimits, onIgnored: OnIgnored) {
    this.#limits = limits;
    this.#onIgnored = onIgnored;
    this.#rootFd = openSync(target.root, constants.O_RDONLY | constants.O_DIRECTORY);
    this.#folders = new OpenFolders(this.#rootFd);
    this.#parents = new ParentCopies(target.lowers);
    this.#guard = new DiskGuard(target.root, limits.keepFreeBytes);
    // An overlay hides by marks, and a tree that is empty has nothing to hide.
    this.#written = target.overlay || namesIn(this.#rootFd).length === 0 ? undefined : new WrittenPaths();
    this.#whiteouts = target.overlay ? overlayWhiteouts : plainWhiteouts(this.#written);
  }

  /** Of the last entry that came, as a text; undefined: none has. */
  get entryName(): string | undefined {
    return this.#name === undefined ? undefined : Buffer.from(this.#name, "latin1").toString();
  }

  begin(header: TarHeader): void {
    this.#header = undefined;
    this.#name = header.name;
    this.#check(header);
    const split = splitEntryName(header.name);
    if (split === undefined) return; // the root itself, whose attributes are the caller's
    const { base } = split;
    const folder = this.#folders.resolve(split.folder, (...missing) => this.#parents.make(...missing));
    const whiteout = whiteoutOf(base);
    if (whiteout.kind === "none") return this.#create(header, folder, base);
    if (whiteout.kind === "opaque") this.#whiteouts.empty(folder);
    else this.#whiteouts.remove(folder, whiteout.name, header);
    // Names may have led through what is gone.
    this.#folders.forget();
  }

  data(chunk: Buffer, start: number, end: number, position: number): void {
    if (this.#fd < 0) return;
    this.#guard.beforeWrite(end - start);
    for (let at = start; at < end; ) {
      at += writeSync(this.#fd, chunk, at, end - at, position === this.#fileEnd ? null : position + at - start);
    }
    this.#fileEnd = position === this.#fileEnd ? position + end - start : -1;
  }

  finish(): void {
    if (this.#fd < 0 || this.#header === undefined || this.#file === undefined) return;
    const [fd, header, { folder, base }] = [this.#fd, this.#header, this.#file];
    if (this.#fileEnd !== header.size) ftruncateSync(fd, header.size); // ends in a hole
    applyOpenAttributes(fd, { header, folder, base }, this.#onIgnored);
    const { accessed, modified } = timesOf(header);
    setOpenTimes(fd, accessed, modified);
    this.#fd = -1;
    closeSync(fd);
  }

  /** After the last entry: what had to wait for it. `sync`: with all on the disk. */
  end({ sync }: { readonly sync: boolean }): void {
    setFolderTimes(this.#folders, this.#folderTimes);
    if (sync) syncFileSystem(this.#rootFd);
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#folders[Symbol.dispose]();
    this.#parents[Symbol.dispose]();
    closeSync(this.#rootFd);
  }

  #check({ name, linkName }: TarHeader): void {
    this.#entries++;
    const { entries, nameBytes } = this.#limits;
    if (this.#entries > entries) throw tooMuch(`more than ${entries} entries`, "max_entries");
    if (name.length > nameBytes || linkName.length > nameBytes) {
      throw tooMuch(`a name of more than ${nameBytes} bytes`, "max_name_bytes");
    }
    this.#guard.beforeEntry();
  }

  #create(header: TarHeader, folder: OpenFolder, base: string): void {
    if (header.type === typeFlags.regular) {
      this.#openFile(header, folder, base);
    } else if (header.type === typeFlags.paxGlobal) {
      this.#remove(folder, base); // makes nothing, and yet containerd makes room for it
    } else {
      const made = makeEntry({ header, folder, base, folders: this.#folders }, () => this.#remove(folder, base));
      if (made === "skipped") return;
      const attributes = applyAttributes({ header, folder, base }, this.#onIgnored);
      if (header.type === typeFlags.folder) {
        const path = folder.path === "" ? base : `${folder.path}/${base}`;
        if (attributes === "changed") this.#folders.forgetOne(path);
        this.#folderTimes.push({ name: header.name, ...timesOf(header) });
      }
    }
    this.#written?.add(folder.path, base);
  }

  #openFile(header: TarHeader, folder: OpenFolder, base: string): void {
    const mode = header.mode & 0o7777;
    try {
      this.#fd = openEntry(folder.fd, base, createFlags, mode);
    } catch (error) {
      if (!isLinuxError(error, "EEXIST")) throw error;
      this.#remove(folder, base);
      this.#fd = openEntry(folder.fd, base, createFlags, mode);
    }
    this.#header = header;
    this.#file = { folder, base };
    this.#fileEnd = 0;
  }

  #remove(folder: OpenFolder, base: string): void {
    // A removed symlink may have been part of a name, too.
    if (removeTree(folder.fd, base) !== "nothing") this.#folders.forgetBelow(folder, base);
  }
}

function tooMuch(what: string, key: string): HostError {
  return new HostError(
    "invalid-argument",
    `the layer has ${what}; raise ${key} of the walking differ if it is to be trusted`,
  );
}
