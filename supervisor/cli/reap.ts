import { HolderLog } from "../holder/holder-log.ts";
import { reapState } from "../holder/reap.ts";
import { readDaemonConfig } from "./daemon-config.ts";
import type { GlobalFlags } from "./globals.ts";

/**
 * `bulkhead reap`: ends what a daemon that died has left, unless one lives, or the service manager that runs this
 * command is about to start the next. What it does is said on stderr.
 */
export async function reap(globals: GlobalFlags): Promise<void> {
  const config = await readDaemonConfig(globals);
  await reapState(config, process.env, new HolderLog(config.debug.format, config.debug.level));
}
