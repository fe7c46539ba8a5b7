import type { CrashReport } from "#proto/gen/bulkhead/control/v1/control_pb.ts";
import { exitText, lastExitJson } from "./plugin-rows.ts";
import { ago, isoTime } from "./time-text.ts";

/** What is shown of a crash; its file has all. */
const shownCalls = 10;
const shownLines = 10;

/** A crash report for programs; fields are only ever added. */
export function crashJson(crash: CrashReport): Record<string, unknown> {
  return {
    generation: Number(crash.generation),
    version: crash.version,
    pid: Number(crash.pid),
    state: crash.state,
    cause: crash.cause,
    exit: crash.exit === undefined ? null : lastExitJson(crash.exit),
    livedMs: Number(crash.livedMs),
    openCalls: crash.openCalls === undefined ? null : Number(crash.openCalls),
    calls: crash.calls.map(({ method, ageMs, caller }) => ({ method, ageMs: Number(ageMs), caller })),
    usage: crash.usage.map(({ at, residentBytes, cpuSeconds, cgroupMemoryBytes }) => ({
      at: isoTime(at),
      residentBytes: Number(residentBytes),
      cpuSeconds,
      cgroupMemoryBytes: Number(cgroupMemoryBytes),
    })),
    memoryPeakBytes: Number(crash.memoryPeakBytes),
    manifestHash: crash.manifestHash,
    configHash: crash.configHash,
    lastGoodGeneration: Number(crash.lastGoodGeneration),
    changes: crash.changes,
    lines: crash.lines,
    linesLeftOut: crash.linesLeftOut,
  };
}

/** The same for people, as facts of `plugins show`. */
export function crashFacts(crash: CrashReport, files: readonly string[], nowMs: number): [string, string][] {
  const { exit, generation, cause, livedMs } = crash;
  const when = exit === undefined ? "" : `, ${exitText(exit)}, ${ago(exit.at, nowMs)} ago`;
  const last = crash.usage.at(-1);
  const memory = [
    last === undefined ? "" : `${mebibytes(last.residentBytes)} resident, ${last.cpuSeconds.toFixed(1)} s of CPU`,
    crash.memoryPeakBytes === 0n ? "" : `at most ${mebibytes(crash.memoryPeakBytes)}`,
  ].filter(Boolean);
  return [
    ["Last crash", `generation ${generation}${when}, after ${Number(livedMs) / 1000} s\n${cause}`],
    ["  memory", memory.join(", ")],
    ["  calls", callsText(crash)],
    ["  changed", changesText(crash)],
    ["  output", crash.lines.slice(-shownLines).join("\n")],
    ["  files", files.join("\n")],
  ];
}

function callsText({ openCalls, calls }: CrashReport): string {
  if (openCalls === undefined) return "not known: the router was away";
  if (openCalls === 0n) return "none in flight";
  const shown = calls
    .slice(0, shownCalls)
    .map(({ method, ageMs, caller }) => `${method} for ${ageMs} ms, of ${caller}`);
  const more = Number(openCalls) - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("\n");
}

function changesText({ lastGoodGeneration, changes }: CrashReport): string {
  if (lastGoodGeneration === 0n) return "";
  const since = `since generation ${lastGoodGeneration}, the last good one`;
  return changes.length === 0 ? `nothing ${since}` : [`${since}:`, ...changes].join("\n");
}

function mebibytes(bytes: bigint): string {
  return `${(Number(bytes) / 2 ** 20).toFixed(1)} MiB`;
}
