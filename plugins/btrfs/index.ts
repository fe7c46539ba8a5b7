import { chmodSync } from "node:fs";
import { findMount } from "#linux";
import { SkipPlugin } from "bulkhead/plugin";
import { hostPlatform } from "../shared/snapshots/host-platform.ts";
import { snapshotterPlugin } from "../shared/snapshots/snapshotter-plugin.ts";
import { BtrfsDriver } from "./btrfs-driver.ts";

export default snapshotterPlugin({
  exportsRoot: true,
  check(root) {
    chmodSync(root, 0o700);
    const { type } = findMount(root);
    if (type === "btrfs") return;
    const reason = `path ${root} (${type}) must be a btrfs filesystem to be used with the btrfs snapshotter`;
    throw new SkipPlugin(reason, { exports: { root }, platforms: [hostPlatform()] });
  },
  open: ({ root, trees }) => new BtrfsDriver({ root, trees, device: findMount(root).source }),
});
