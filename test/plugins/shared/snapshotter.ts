import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "bulkhead/plugin";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import type { Mount } from "#proto/gen/containerd/types/types_pb.ts";
import { findMount, subvolumeId } from "#linux";
import { clientOf, type Channel, type Client } from "#rpc";
import { BtrfsDriver } from "../../../plugins/btrfs/btrfs-driver.ts";
import { NativeDriver } from "../../../plugins/native/native-driver.ts";
import { readKernelOptions } from "../../../plugins/overlayfs/kernel-options.ts";
import { OverlayDriver } from "../../../plugins/overlayfs/overlay-driver.ts";
import type { Driver } from "../../../plugins/shared/snapshots/driver.ts";
import { openRecords } from "../../../plugins/shared/snapshots/open-records.ts";
import { snapshotsService } from "../../../plugins/shared/snapshots/service.ts";
import { Snapshotter, type Step } from "../../../plugins/shared/snapshots/snapshotter.ts";
import { TreeWorkers } from "../../../plugins/shared/trees/tree-workers.ts";
import { serveService } from "../serve-service.ts";

/** The snapshotters that a test can be run with; btrfs needs a root on one. */
export type SnapshotterName = "overlayfs" | "overlayfs-label" | "overlayfs-sync" | "native" | "btrfs";

export interface TestedSnapshotter extends AsyncDisposable {
  readonly snapshotter: Snapshotter;
  readonly channel: Channel;
  readonly client: Client<typeof Snapshots>;
}

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A snapshotter over `root`, served on a socket of its own. Owns: all of it but the root. */
export async function startSnapshotter(name: SnapshotterName, root: string): Promise<TestedSnapshotter> {
  await using stack = new AsyncDisposableStack();
  const { snapshotter } = stack.use(await openSnapshotter(name, root));
  const { channel } = stack.use(await serveService(snapshotsService(snapshotter)));
  const owned = stack.move();
  return {
    snapshotter,
    channel,
    client: clientOf(Snapshots, channel),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The same without a socket. */
export async function openSnapshotter(
  name: SnapshotterName,
  root: string,
  onStep?: (step: Step) => void,
): Promise<Pick<TestedSnapshotter, "snapshotter"> & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await openRecords(root));
  const trees = stack.use(new TreeWorkers());
  const driver = stack.use(openDriver(name, root, trees));
  const snapshotter = new Snapshotter({ database, driver, log, ...(onStep && { onStep }) });
  await snapshotter.cleanup();
  const owned = stack.move();
  return { snapshotter, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function openDriver(name: SnapshotterName, root: string, trees: TreeWorkers): Driver & AsyncDisposable {
  if (name === "btrfs") return new BtrfsDriver({ root, trees, device: findMount(root).source });
  if (name === "native") return new NativeDriver({ root, trees });
  const showsUpper = name === "overlayfs-label";
  const removesAtOnce = name === "overlayfs-sync";
  return new OverlayDriver({ root, trees, kernelOptions: readKernelOptions(root), showsUpper, removesAtOnce });
}

/** Folder of what a mount of a snapshotter over `root` shows for writing. */
export function writableFolder(root: string, mount: Pick<Mount, "type" | "source" | "options"> | undefined): string {
  if (mount?.type !== "btrfs") return optionOf(mount, "upperdir") ?? mount?.source ?? "";
  const id = optionOf(mount, "subvolid");
  const folders = ["active", "view"].flatMap((kind) =>
    readdirSync(join(root, kind)).map((name) => join(root, kind, name)),
  );
  return folders.find((folder) => `${subvolumeId(folder)}` === id) ?? "";
}

function optionOf(mount: Pick<Mount, "options"> | undefined, name: string): string | undefined {
  return mount?.options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
}
