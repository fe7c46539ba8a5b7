import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { clientOf, connect } from "#rpc";
import type { BulkheadDaemon } from "../bulkhead-daemon.ts";
import { controlBooted, partPid } from "../parts.ts";
import { listPlugins } from "../plugin-status.ts";
import { StormLoad } from "./storm-load.ts";

export interface ControlStormReport {
  readonly deaths: number;
  readonly calls: number;
  /** Calls to packages that failed, in words. */
  readonly failures: readonly string[];
  /** Control's own calls that failed, in words. */
  readonly ownFailures: readonly string[];
  /** How long control's own calls took, one begun right after each death, milliseconds. */
  readonly ownMs: readonly number[];
  /** From the start of each control to its having adopted every package, milliseconds. */
  readonly adoptionMs: readonly number[];
  /** Packages that have another pid than at first. */
  readonly moved: readonly string[];
}

export interface ControlStormOptions {
  readonly deaths: number;
  readonly connections: number;
  readonly callsPerSecond: number;
  /** Answers before the first kill: a daemon that has just booted still compiles and collects in every process. */
  readonly warmCalls: number;
  /** Answers between one control's boot and its death. */
  readonly calmCalls: number;
}

/** Kills control again and again under load; the daemon must log at debug level, its first package be an echo. */
export async function stormControl(daemon: BulkheadDaemon, options: ControlStormOptions): Promise<ControlStormReport> {
  const ownFailures: string[] = [];
  const ownMs: number[] = [];
  const adoptionMs: number[] = [];
  const before = await pidsOf(daemon);
  const load = new StormLoad(daemon.address, options.connections, options.callsPerSecond);
  {
    await using _load = load;
    await load.calm(performance.now(), options.warmCalls);
    for (let death = 1; death <= options.deaths; death++) {
      process.kill(await partPid(daemon, "control", death), "SIGKILL");
      const killedMs = performance.now();
      await askVersion(daemon.address).catch((error: unknown) => ownFailures.push(String(error)));
      ownMs.push(performance.now() - killedMs);
      await controlBooted(daemon, death + 1);
      adoptionMs.push(lastAdoptionMs(daemon));
      await load.calm(performance.now(), options.calmCalls);
    }
  }
  const after = await pidsOf(daemon);
  return {
    deaths: options.deaths,
    calls: load.calls,
    failures: load.failures.map(({ failure = "" }) => failure),
    ownFailures,
    ownMs,
    adoptionMs,
    moved: [...before].filter(([name, pid]) => after.get(name) !== pid).map(([name]) => name),
  };
}

/** A connection of its own: it parks at the router until the next control is there. */
async function askVersion(address: string): Promise<void> {
  using channel = connect(address);
  await clientOf(Version, channel).version({});
}

/** From the start of the last control to its last adoption. */
function lastAdoptionMs({ child }: BulkheadDaemon): number {
  const { lines } = child.output;
  const started = lines.findLast((line) => /part started.*part=control /.test(line)) ?? "";
  const adopted = lines.findLast((line) => line.includes("plugin adopted")) ?? "";
  return timeOf(adopted) - timeOf(started);
}

/** Milliseconds, by the clock on the wall. */
function timeOf(line: string): number {
  return Date.parse(/time="([^"]+)"/.exec(line)?.[1] ?? "");
}

async function pidsOf(daemon: BulkheadDaemon): Promise<ReadonlyMap<string, number>> {
  const plugins = await listPlugins(daemon);
  return new Map(
    plugins.map((plugin) => [plugin.package, Number(plugin.pid)] as const).filter(([name]) => name !== "control"),
  );
}
