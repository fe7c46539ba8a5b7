import { existsSync, lchownSync, lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Driver, MountInit, NeededFor } from "../shared/snapshots/driver.ts";
import type { Snapshot, Usage } from "../shared/snapshots/snapshot.ts";
import { SnapshotFolders } from "../shared/snapshots/snapshot-folders.ts";
import type { TreeWorkers } from "../shared/trees/tree-workers.ts";
import { overlayMounts } from "./overlay-mounts.ts";

/** Shown on every snapshot where the config wants it. */
const upperdirLabel = "containerd.io/snapshot/overlay.upperdir";

export interface OverlayOptions {
  readonly root: string;
  readonly trees: TreeWorkers;
  /** Mount options that the kernel needs, before all others. */
  readonly kernelOptions: readonly string[];
  /** upperdir_label */
  readonly showsUpper: boolean;
  /** sync_remove */
  readonly removesAtOnce: boolean;
}

/** Folders of overlay layers: `snapshots/<id>/fs`, and `work` beside it for active ones. Owns: its folders' descriptor. */
export class OverlayDriver implements Driver, AsyncDisposable {
  readonly words = {
    create: "failed to create snapshot",
    mounts: "failed to get active mount",
    commit: "failed to commit snapshot",
    remove: "failed to remove",
  };
  readonly keepsRemoved: boolean;
  readonly #options: OverlayOptions;
  readonly #folders: SnapshotFolders;

  constructor(options: OverlayOptions) {
    this.keepsRemoved = !options.removesAtOnce;
    this.#options = options;
    this.#folders = new SnapshotFolders(options.root, options.trees);
  }

  highestId(): bigint {
    return this.#folders.highestId();
  }

  /** Not on disk yet, since nothing is in it: whoever flushes a file in it flushes the folders, too. */
  create(snapshot: Snapshot): Promise<void> {
    mkdirSync(this.#folders.path(snapshot.id), 0o700);
    this.#fill(snapshot);
    this.#folders.oweFlush();
    return Promise.resolve();
  }

  restore(snapshot: Snapshot): void {
    const { id, kind } = snapshot;
    if (existsSync(kind === "active" ? this.#work(id) : this.#upper(id))) return;
    mkdirSync(this.#folders.path(id), { recursive: true, mode: 0o700 });
    this.#fill(snapshot);
  }

  /** What is in a snapshot's folder; that of `work` is made last. */
  #fill({ id, kind, parentIds }: Snapshot): void {
    const upper = this.#upper(id);
    mkdirSync(upper, { recursive: true, mode: 0o755 });
    if (parentIds[0] !== undefined) {
      // The upper folder gets the owner of the one below; a layer sets its root's mode itself.
      const { uid, gid } = lstatSync(this.#upper(parentIds[0]));
      lchownSync(upper, uid, gid);
    }
    if (kind === "active") mkdirSync(this.#work(id), { recursive: true, mode: 0o711 });
  }

  /** The folders of what is committed are on disk; what others wrote into them is theirs to flush. */
  seal(): Promise<void> {
    return this.#folders.flushOwed();
  }

  mounts({ id, kind, parentIds }: Snapshot): MountInit[] {
    return overlayMounts({
      kind,
      upper: this.#upper(id),
      work: this.#work(id),
      lower: parentIds.map((parent) => this.#upper(parent)),
      kernelOptions: this.#options.kernelOptions,
    });
  }

  async measure({ id }: Snapshot): Promise<Usage> {
    const { size, inodes } = await this.#options.trees.measure(this.#upper(id));
    return { size: BigInt(size), inodes: BigInt(inodes) };
  }

  discard(id: bigint): Promise<void> {
    return this.#folders.remove(id);
  }

  sweep(neededFor: NeededFor): Promise<void> {
    return this.#folders.sweep((id) => neededFor(id).length > 0);
  }

  labels(id: bigint): Readonly<Record<string, string>> {
    return this.#options.showsUpper ? { [upperdirLabel]: this.#upper(id) } : {};
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#folders[Symbol.asyncDispose]();
  }

  #upper(id: bigint): string {
    return join(this.#folders.path(id), "fs");
  }

  #work(id: bigint): string {
    return join(this.#folders.path(id), "work");
  }
}
