import assert from "node:assert/strict";
import { Control, type PluginStatus } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import { clientOf, connect } from "#rpc";
import type { BulkheadDaemon } from "./bulkhead-daemon.ts";

/** Status of every plugin, from the main socket. */
export async function listPlugins(daemon: BulkheadDaemon): Promise<readonly PluginStatus[]> {
  using channel = connect(daemon.address);
  const { plugins } = await clientOf(Control, channel).listPlugins({}, { deadlineMs: Date.now() + 10_000 });
  return plugins;
}

/** Whether a plugin is as it should be: ready, or not for this machine, as btrfs is on most. */
export function isSettled({ state }: Pick<PluginStatus, "state">): boolean {
  return state === "ready" || state === "skipped";
}

/** Status of a package's first plugin. */
export async function statusOf(daemon: BulkheadDaemon, name: string): Promise<PluginStatus> {
  const found = (await listPlugins(daemon)).find((plugin) => plugin.package === name);
  assert.ok(found, `no plugin of package ${name}`);
  return found;
}

/**
 * Waits until the daemon has logged that a package entered a state; the daemon must run at debug level for states
 * other than ready, backoff and failed.
 */
export async function waitForState(daemon: BulkheadDaemon, name: string, state: string, ms?: number): Promise<string> {
  return daemon.child.output.waitFor(new RegExp(`(?=.*\\bplugin=${name}\\b)(?=.*\\bto=${state}\\b)`), ms);
}
