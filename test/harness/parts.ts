import type { BulkheadDaemon } from "./bulkhead-daemon.ts";

/** Pid of the nth (from 1) process of a part that the daemon started; it must log at debug level. */
export async function partPid(daemon: BulkheadDaemon, part: "control" | "router", nth = 1): Promise<number> {
  const line = await daemon.child.output.waitForNth(new RegExp(`part started.*part=${part} `), nth);
  return Number(/pid=(\d+)/.exec(line)?.[1]);
}

/** Resolves when the nth (from 1) control has booted. */
export async function controlBooted(daemon: BulkheadDaemon, nth: number): Promise<void> {
  await daemon.child.output.waitForNth(/successfully booted in/, nth);
}
