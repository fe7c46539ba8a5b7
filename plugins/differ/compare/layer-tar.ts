import { closeSync, constants, readSync } from "node:fs";
import { HostError } from "#proto/wire/errors.ts";
import { fileTypes, openEntry, readLinkEntry, type EntryFacts } from "#linux";
import { typeFlags } from "../tar/header.ts";
import { encodeHeader, endBytes, paddingAfter, type NewHeader } from "../tar/tar-writer.ts";
import type { Change, ParentChain } from "./changes.ts";
import { capabilityOf, isFolder, type TreeEntry } from "./same-entry.ts";

const readBytes = 256 * 1024;

const typesByMode: Readonly<Record<number, string>> = {
  [fileTypes.regular]: typeFlags.regular,
  [fileTypes.folder]: typeFlags.folder,
  [fileTypes.symlink]: typeFlags.symlink,
  [fileTypes.character]: typeFlags.character,
  [fileTypes.block]: typeFlags.block,
  [fileTypes.fifo]: typeFlags.fifo,
};

export interface LayerTarOptions {
  /** Seconds since the epoch that whiteouts bear. */
  readonly whiteoutSeconds: number;
  /** No entry's time is after it; undefined: no bound. */
  readonly latestSeconds: number | undefined;
}

type Written = Extract<Change, { entry: TreeEntry }>;

/** Writes changes as the tar of a layer, byte for byte as containerd does (archive/tar.go, ChangeWriter). */
export class LayerTar {
  readonly #options: LayerTarOptions;
  /** What files are read into. */
  readonly #read = Buffer.allocUnsafeSlow(readBytes);
  readonly #addedFolders = new Set<string>();
  /** First name written of a file with several, by inode. */
  readonly #sources = new Map<bigint, string>();
  /** Names of unchanged ones, for when another name of the file turns out to be changed. */
  readonly #unchangedNames = new Map<bigint, { path: string; parent: ParentChain | undefined }[]>();

  constructor(options: LayerTarOptions) {
    this.#options = options;
  }

  /** The bytes, in pieces; each is good until the next is asked for. */
  *bytes(changes: Iterable<Change>): Generator<Buffer, void, undefined> {
    for (const change of changes) {
      if (change.kind === "removed") yield* this.#whiteout(change.path, change.parent);
      else yield* this.#entry(change);
    }
    yield Buffer.alloc(endBytes);
  }

  *#whiteout(path: string, parent: ParentChain | undefined): Generator<Buffer, void, undefined> {
    yield* this.#parents(parent);
    const slash = path.lastIndexOf("/") + 1;
    const name = `${path.slice(0, slash)}.wh.${path.slice(slash)}`;
    const { whiteoutSeconds } = this.#options;
    yield encodeHeader(headerOf(name, typeFlags.regular, undefined, whiteoutSeconds));
  }

  *#entry({ kind, path, parent, entry }: Written): Generator<Buffer, void, undefined> {
    const type = typesByMode[entry.facts.mode & fileTypes.mask];
    if (type === undefined) return; // a socket
    const { inode, links } = entry.facts;
    const isShared = type !== typeFlags.folder && links > 1;
    const source = isShared ? this.#sources.get(inode) : undefined;
    if (source !== undefined) return yield* this.#link(path, parent, source, entry);
    if (kind === "unmodified") {
      if (isShared) this.#keepName(inode, path, parent);
      return;
    }
    yield* this.#parents(parent);
    if (isFolder(entry.facts)) this.#addedFolders.add(path);
    yield encodeHeader(this.#headerOf(path, type, entry));
    if (type === typeFlags.regular) yield* dataOf(entry, this.#read);
    if (!isShared) return;
    this.#sources.set(inode, path);
    for (const name of this.#unchangedNames.get(inode) ?? []) yield* this.#link(name.path, name.parent, path, entry);
    this.#unchangedNames.delete(inode);
  }

  #keepName(inode: bigint, path: string, parent: ParentChain | undefined): void {
    const names = this.#unchangedNames.get(inode);
    if (names === undefined) this.#unchangedNames.set(inode, [{ path, parent }]);
    else names.push({ path, parent });
  }

  *#link(
    path: string,
    parent: ParentChain | undefined,
    source: string,
    entry: TreeEntry,
  ): Generator<Buffer, void, undefined> {
    yield* this.#parents(parent);
    const header = this.#headerOf(path, typeFlags.hardLink, entry);
    yield encodeHeader({ ...header, size: 0, linkName: source });
  }

  /** Folders above an entry that are not written yet, from the top. */
  *#parents(parent: ParentChain | undefined): Generator<Buffer, void, undefined> {
    if (parent === undefined || this.#addedFolders.has(parent.path)) return;
    this.#addedFolders.add(parent.path);
    yield* this.#parents(parent.above);
    yield encodeHeader(headerOf(parent.path, typeFlags.folder, parent.facts, this.#secondsOf(parent.facts)));
  }

  #headerOf(path: string, type: string, entry: TreeEntry): NewHeader {
    const { folder, name, facts } = entry;
    const isLink = (facts.mode & fileTypes.mask) === fileTypes.symlink;
    const capability = capabilityOf(entry);
    return {
      ...headerOf(path, type, facts, this.#secondsOf(facts)),
      linkName: isLink ? readLinkEntry(folder, name) : "",
      size: type === typeFlags.regular ? facts.size : 0,
      records: new Map(
        capability === undefined ? [] : [["SCHILY.xattr.security.capability", capability.toString("latin1")]],
      ),
    };
  }

  #secondsOf({ modified }: EntryFacts): number {
    return Math.min(modified.seconds, this.#options.latestSeconds ?? modified.seconds);
  }
}

function headerOf(path: string, type: string, facts: EntryFacts | undefined, modifiedSeconds: number): NewHeader {
  return {
    name: type === typeFlags.folder ? `${path}/` : path,
    linkName: "",
    type,
    mode: (facts?.mode ?? 0) & 0o7777,
    uid: facts?.uid ?? 0,
    gid: facts?.gid ?? 0,
    size: 0,
    modifiedSeconds,
    major: facts?.major ?? 0,
    minor: facts?.minor ?? 0,
    records: new Map(),
  };
}

/** A file's bytes, as many as it had when it was looked at, and the padding. */
function* dataOf({ folder, name, facts }: TreeEntry, buffer: Buffer): Generator<Buffer, void, undefined> {
  if (facts.size === 0) return;
  const fd = openEntry(folder, name, constants.O_RDONLY);
  try {
    for (let left = facts.size; left > 0; ) {
      const bytes = readSync(fd, buffer, 0, Math.min(left, buffer.length), null);
      if (bytes === 0) throw new HostError("aborted", "a file became shorter while the layer was made; try again");
      left -= bytes;
      yield buffer.subarray(0, bytes);
    }
  } finally {
    closeSync(fd);
  }
  const padding = paddingAfter(facts.size);
  if (padding > 0) yield Buffer.alloc(padding);
}
