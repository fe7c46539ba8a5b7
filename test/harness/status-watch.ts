import type { PluginStatus } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import type { BulkheadDaemon } from "./bulkhead-daemon.ts";
import { statusOf } from "./plugin-status.ts";
import { execa } from "execa";
import { launcher } from "./bulkhead-daemon.ts";

/** Asks for a package's status, call upon call, until `reached`; gives the last one asked for when the time is up. */
export async function untilStatus(
  daemon: BulkheadDaemon,
  name: string,
  reached: (status: PluginStatus) => boolean,
  ms = 10_000,
): Promise<PluginStatus> {
  const end = performance.now() + ms;
  for (;;) {
    const status = await statusOf(daemon, name);
    if (reached(status) || performance.now() > end) return status;
  }
}

/** What `bulkhead plugins show` says of a package. */
export async function showPackage(daemon: BulkheadDaemon, name: string): Promise<string> {
  const { stdout } = await execa(launcher, ["--address", daemon.address, "plugins", "show", name], { timeout: 20_000 });
  return stdout;
}

/** The same for programs. */
export async function showPackageJson(daemon: BulkheadDaemon, name: string): Promise<ShownPackage> {
  const args = ["--address", daemon.address, "plugins", "show", name, "--json"];
  const { stdout } = await execa(launcher, args, { timeout: 20_000 });
  return JSON.parse(stdout) as ShownPackage;
}

export interface ShownPackage {
  readonly notes: readonly string[];
  readonly crashes: {
    readonly files: readonly string[];
    readonly last: {
      readonly generation: number;
      readonly cause: string;
      readonly exit: { readonly code: number; readonly signal: string; readonly oomKilled: boolean };
      readonly openCalls: number | null;
      readonly calls: readonly { readonly method: string; readonly ageMs: number; readonly caller: string }[];
      readonly usage: readonly { readonly residentBytes: number }[];
      readonly memoryPeakBytes: number;
      readonly manifestHash: string;
      readonly configHash: string;
      readonly lastGoodGeneration: number;
      readonly changes: readonly string[];
      readonly lines: readonly string[];
    } | null;
  };
}
