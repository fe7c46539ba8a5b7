import { chmodSync } from "node:fs";
import { findMount } from "#linux";
import { SkipPlugin } from "bulkhead/plugin";
import { snapshotterPlugin } from "../shared/snapshots/snapshotter-plugin.ts";
import { BtrfsDriver } from "./btrfs-driver.ts";

export default snapshotterPlugin({
  exportsRoot: true,
  check(root) {
    chmodSync(root, 0o700);
    const { type } = findMount(root);
    if (type === "btrfs") return;
    throw new SkipPlugin(`path ${root} (${type}) must be a btrfs filesystem to be used with the btrfs snapshotter`);
  },
  open: ({ root, trees }) => new BtrfsDriver({ root, trees, device: findMount(root).source }),
});
