import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { subvolumeId } from "#linux";
import { Kind } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import type { Driver, MountInit, NeededFor } from "../shared/snapshots/driver.ts";
import type { MountableKind, Snapshot, Usage } from "../shared/snapshots/snapshot.ts";
import type { TreeWorkers } from "../shared/trees/tree-workers.ts";

export interface BtrfsOptions {
  readonly root: string;
  readonly trees: TreeWorkers;
  /** The device that the root is mounted from. */
  readonly device: string;
}

const folders = { active: Kind.ACTIVE, view: Kind.VIEW, snapshots: Kind.COMMITTED } as const;
type FolderName = keyof typeof folders;
const folderNames = Object.keys(folders) as readonly FolderName[];
const idName = /^[1-9][0-9]*$/;

/** Subvolumes `active/<id>`, `view/<id>` and, of committed ones and never written to, `snapshots/<id>`. */
export class BtrfsDriver implements Driver, AsyncDisposable {
  readonly words = {
    create: "",
    mounts: "failed to get active snapshot",
    commit: "failed to commit",
    remove: "failed to remove snapshot",
  };
  readonly #options: BtrfsOptions;

  constructor(options: BtrfsOptions) {
    this.#options = options;
    for (const name of folderNames) mkdirSync(join(options.root, name), { recursive: true, mode: 0o755 });
  }

  highestId(): bigint {
    const ids = folderNames.flatMap((name) =>
      this.#namesIn(name)
        .filter((each) => idName.test(each))
        .map(BigInt),
    );
    return ids.reduce((highest, id) => (id > highest ? id : highest), 0n);
  }

  async create({ id, kind, parentIds }: Snapshot): Promise<void> {
    const [parent] = parentIds;
    const source = parent === undefined ? undefined : this.#path("snapshots", parent);
    await this.#options.trees.makeSubvolume(this.#path(kind, id), source, { isReadonly: kind === "view" });
  }

  mounts({ id, kind }: Snapshot): MountInit[] {
    const subvolume = `subvolid=${subvolumeId(this.#path(kind, id))}`;
    const options = kind === "view" ? [subvolume, "ro"] : [subvolume];
    return [{ type: "btrfs", source: this.#options.device, options }];
  }

  async measure({ id, parentIds }: Snapshot): Promise<Usage> {
    const { trees } = this.#options;
    const [parent] = parentIds;
    const active = this.#path("active", id);
    const { size, inodes } = await (parent === undefined
      ? trees.measure(active)
      : trees.measureChanges(this.#path("snapshots", parent), active));
    return { size: BigInt(size), inodes: BigInt(inodes) };
  }

  seal(id: bigint): Promise<void> {
    return this.#options.trees.makeSubvolume(this.#path("snapshots", id), this.#path("active", id), {
      isReadonly: true,
    });
  }

  unseal(id: bigint): Promise<void> {
    return this.#options.trees.removeSubvolumes([this.#path("snapshots", id)]);
  }

  sealed(id: bigint): Promise<void> {
    return this.#options.trees.removeSubvolumes([this.#path("active", id)]);
  }

  discard(id: bigint): Promise<void> {
    return this.#options.trees.removeSubvolumes(folderNames.map((name) => this.#path(name, id)));
  }

  /** A commit that was cut off leaves an id in two folders: the record says which of them it has. */
  sweep(neededFor: NeededFor): Promise<void> {
    const rubbish = folderNames.flatMap((folder) =>
      this.#namesIn(folder)
        .filter((name) => !idName.test(name) || !neededFor(BigInt(name)).includes(folders[folder]))
        .map((name) => join(this.#options.root, folder, name)),
    );
    return this.#options.trees.removeSubvolumes(rubbish);
  }

  /** Nothing is held open. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #path(folder: FolderName | MountableKind, id: bigint): string {
    return join(this.#options.root, folder, `${id}`);
  }

  #namesIn(folder: FolderName): string[] {
    return readdirSync(join(this.#options.root, folder));
  }
}
