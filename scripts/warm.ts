/** Boots the daemon once on a temporary folder, so that the compile cache is filled before a person waits for it. */
import { startBulkhead } from "../test/harness/bulkhead-daemon.ts";

await using daemon = await startBulkhead();
await daemon.stop();
