import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { TreeWorkers } from "../trees/tree-workers.ts";
import { FolderFlush } from "./folder-flush.ts";

const idName = /^[1-9][0-9]*$/;

/** The folders `snapshots/<id>` below a snapshotter's root. Owns: a descriptor of the folder above them. */
export class SnapshotFolders implements AsyncDisposable {
  readonly #folder: string;
  readonly #trees: TreeWorkers;
  readonly #flush: FolderFlush;

  /** Makes `snapshots/` below the root where it is missing, 0700. Throws the system's error. */
  constructor(root: string, trees: TreeWorkers) {
    this.#folder = join(root, "snapshots");
    this.#trees = trees;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#flush = new FolderFlush(this.#folder);
  }

  /** Where a snapshot is, or is to be. */
  path(id: bigint): string {
    return join(this.#folder, `${id}`);
  }

  /** The highest id that has a folder; 0: none has. */
  highestId(): bigint {
    return this.#names().reduce((highest, name) => {
      const id = idName.test(name) ? BigInt(name) : 0n;
      return id > highest ? id : highest;
    }, 0n);
  }

  /** Resolves when every folder that is there by now is on disk. */
  flush(): Promise<void> {
    return this.#flush.flush();
  }

  /** Has done in a moment what `flush` does. */
  oweFlush(): void {
    this.#flush.owe();
  }

  /** Resolves when all that was owed is done. */
  flushOwed(): Promise<void> {
    return this.#flush.owed();
  }

  /** Removes a snapshot's folder and all in it; fine when it has none. */
  remove(id: bigint): Promise<void> {
    return this.#trees.remove([this.path(id)]);
  }

  /** Removes whatever is not the folder of a snapshot that is kept. */
  sweep(isKept: (id: bigint) => boolean): Promise<void> {
    const rubbish = this.#names().filter((name) => !idName.test(name) || !isKept(BigInt(name)));
    return this.#trees.remove(rubbish.map((name) => join(this.#folder, name)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#flush[Symbol.asyncDispose]();
  }

  #names(): string[] {
    return readdirSync(this.#folder);
  }
}
