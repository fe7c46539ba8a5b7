import type { LastExit, PluginStatus } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import type { Cell } from "./table.ts";
import type { Colour } from "./terminal.ts";
import { ago, isoTime } from "./time-text.ts";

/** One plugin for programs; fields are only ever added. */
export function pluginJson(plugin: PluginStatus): Record<string, unknown> {
  const { id, type, version, tier, state, reason, socket, lastExit } = plugin;
  return {
    id,
    type,
    package: plugin.package,
    version,
    tier,
    state,
    pid: Number(plugin.pid),
    generation: Number(plugin.generation),
    restarts: Number(plugin.restarts),
    since: isoTime(plugin.since),
    reason,
    socket,
    lastExit: lastExit ? lastExitJson(lastExit) : null,
    nextAttempt: isoTime(plugin.nextAttempt),
  };
}

/** An exit for programs. */
export function lastExitJson({ code, signal, oomKilled, at }: LastExit): Record<string, unknown> {
  return { code, signal, oomKilled, at: isoTime(at) };
}

/** An exit for people, without its time. */
export function exitText({ code, signal, oomKilled }: LastExit): string {
  return oomKilled ? "killed for memory" : signal || `code ${code}`;
}

/** Headings of `pluginRow`. */
export const pluginHeadings = ["NAME", "TYPE", "PACKAGE", "STATE", "PID", "RESTARTS", "SINCE", "REASON"] as const;

/** One plugin for people. containerd's long types lose the part that they all share. */
export function pluginRow(plugin: PluginStatus, nowMs: number): Cell[] {
  return [
    plugin.id,
    plugin.type.replace(/^io\.containerd\./, ""),
    plugin.package,
    { text: plugin.state, colour: colourOf(plugin.state) },
    plugin.pid > 0n ? String(plugin.pid) : "-",
    String(plugin.restarts),
    ago(plugin.since, nowMs),
    plugin.reason.replace(/\s*\n\s*/g, " ") || "-",
  ];
}

function colourOf(state: string): Colour {
  if (state === "ready" || state === "on-demand") return "green";
  if (state === "failed" || state === "unhealthy") return "red";
  return state === "skipped" || state === "disabled" || state === "stopped" ? "dim" : "yellow";
}
