import { snapshotterPlugin } from "../shared/snapshots/snapshotter-plugin.ts";
import { NativeDriver } from "./native-driver.ts";

export default snapshotterPlugin({
  exportsRoot: false,
  open: ({ root, trees }) => new NativeDriver({ root, trees }),
});
