import { mkdirSync } from "node:fs";
import type { Driver, MountInit, NeededFor } from "../shared/snapshots/driver.ts";
import type { Snapshot, Usage } from "../shared/snapshots/snapshot.ts";
import { SnapshotFolders } from "../shared/snapshots/snapshot-folders.ts";
import type { TreeWorkers } from "../shared/trees/tree-workers.ts";

export interface NativeOptions {
  readonly root: string;
  readonly trees: TreeWorkers;
}

/** Whole trees: `snapshots/<id>` is a snapshot's root, a copy of its parent's. Owns: its folders' descriptor. */
export class NativeDriver implements Driver, AsyncDisposable {
  readonly words = {
    create: "failed to create snapshot",
    mounts: "failed to get snapshot mount",
    commit: "failed to commit snapshot",
    remove: "failed to remove",
  };
  readonly #folders: SnapshotFolders;
  readonly #trees: TreeWorkers;

  constructor({ root, trees }: NativeOptions) {
    this.#trees = trees;
    this.#folders = new SnapshotFolders(root, trees);
  }

  highestId(): bigint {
    return this.#folders.highestId();
  }

  /** A view of a parent is the parent itself and needs no folder. */
  async create({ id, kind, parentIds }: Snapshot): Promise<void> {
    const parent = parentIds[0];
    if (kind === "view" && parent !== undefined) return;
    const folder = this.#folders.path(id);
    mkdirSync(folder, 0o755);
    if (parent !== undefined) await this.#trees.copy(this.#folders.path(parent), folder);
    await this.#folders.flush();
  }

  mounts({ id, kind, parentIds }: Snapshot): MountInit[] {
    const shown = kind === "view" ? (parentIds[0] ?? id) : id;
    return [{ type: "bind", source: this.#folders.path(shown), options: ["rbind", kind === "view" ? "ro" : "rw"] }];
  }

  async measure({ id }: Snapshot): Promise<Usage> {
    const { size, inodes } = await this.#trees.measure(this.#folders.path(id));
    return { size: BigInt(size), inodes: BigInt(inodes) };
  }

  discard(id: bigint): Promise<void> {
    return this.#folders.remove(id);
  }

  sweep(neededFor: NeededFor): Promise<void> {
    return this.#folders.sweep((id) => neededFor(id).length > 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#folders[Symbol.asyncDispose]();
  }
}
