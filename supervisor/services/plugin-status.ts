import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LastExitSchema, PluginStatusSchema } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import { timestampFromNanos } from "#proto/wire/timestamp.ts";
import type { PackageView, PluginView } from "../status.ts";

type PluginStatus = MessageInitShape<typeof PluginStatusSchema>;

/** Every plugin of a package as bulkhead.control.v1 shows it. */
export function pluginStatuses(view: PackageView): PluginStatus[] {
  // A package whose manifest cannot be read has no plugins to show; it must show all the same.
  if (view.plugins.length === 0) return [pluginStatus(view, undefined)];
  return view.plugins.map((plugin) => pluginStatus(view, plugin));
}

function pluginStatus(view: PackageView, plugin: PluginView | undefined): PluginStatus {
  return {
    id: plugin?.declaration.id ?? "",
    type: plugin?.declaration.type ?? "",
    package: view.name,
    version: view.version,
    tier: view.tier,
    state: plugin?.state ?? view.state,
    pid: BigInt(view.pid),
    generation: BigInt(view.generation),
    restarts: BigInt(view.restarts),
    since: timestampOf(view.sinceMs),
    reason: plugin?.reason || view.reason,
    socket: view.socket,
    ...(view.lastExit === undefined ? {} : { lastExit: lastExitOf(view.lastExit) }),
    ...(view.nextAttemptMs === undefined ? {} : { nextAttempt: timestampOf(view.nextAttemptMs) }),
  };
}

function lastExitOf(exit: NonNullable<PackageView["lastExit"]>): MessageInitShape<typeof LastExitSchema> {
  const { code, signal, oomKilled, atMs } = exit;
  return { code, signal, oomKilled, at: timestampOf(atMs) };
}

function timestampOf(ms: number) {
  return timestampFromNanos(BigInt(Math.round(ms)) * 1_000_000n);
}
