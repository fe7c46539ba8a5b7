import { tellsEntryTypes } from "#linux";
import { HostError } from "bulkhead/plugin";
import { snapshotterPlugin, type RootConfig } from "../shared/snapshots/snapshotter-plugin.ts";
import { readKernelOptions } from "./kernel-options.ts";
import { OverlayDriver } from "./overlay-driver.ts";

/** Config of `io.containerd.snapshotter.v1.overlayfs`, as the host hands it over. */
interface OverlayConfig extends RootConfig {
  readonly upperdir_label?: boolean;
  readonly sync_remove?: boolean;
}

export default snapshotterPlugin<OverlayConfig>({
  exportsRoot: true,
  open({ root, config, trees }) {
    checkEntryTypes(root);
    return new OverlayDriver({
      root,
      trees,
      kernelOptions: readKernelOptions(root),
      showsUpper: config.upperdir_label === true,
      removesAtOnce: config.sync_remove === true,
    });
  },
});

/** Throws unknown, in containerd's words. The records are in the root by now, so it is not empty. */
function checkEntryTypes(root: string): void {
  if (tellsEntryTypes(root)) return;
  const advice = "If the backing filesystem is xfs, please reformat with ftype=1 to enable d_type support";
  throw new HostError("unknown", `${root} does not support d_type. ${advice}`);
}
