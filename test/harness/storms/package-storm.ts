import { PacedLoad, type PacedCall } from "../paced-load.ts";
import { within } from "../deadline.ts";

/** A call that failed around a kill; both times are milliseconds after it. */
export interface FailedCall {
  /** Negative: it was under way. A little more than 0: it was handed to a process that was dead, but not yet gone. */
  readonly begunMs: number;
  readonly endedMs: number;
  readonly failure: string;
}

/** What one kill did to callers. */
export interface KillOutcome {
  /** From the kill to the first answer of the successor, milliseconds. */
  readonly recoveryMs: number;
  readonly failed: FailedCall[];
  readonly killedMs: number;
  /** How long the calls took that were begun after the kill and before the recovery. */
  readonly waitedMs: readonly number[];
}

export interface StormReport {
  readonly outcomes: readonly KillOutcome[];
  readonly calls: number;
  /** Failures at other times, in words. */
  readonly strays: readonly string[];
}

export interface StormOptions {
  readonly address: string;
  readonly kills: number;
  readonly connections: number;
  readonly callsPerSecond: number;
  /** Answers before the first kill: a daemon that has just booted still compiles and collects in every process. */
  readonly warmCalls: number;
  /** Answers between a recovery and the next kill. */
  readonly calmCalls: number;
}

const recoveryLimitMs = 30_000;

/** Kills the process that answers, again and again, while calls come at a steady rate. */
export async function stormPackage(options: StormOptions): Promise<StormReport> {
  const outcomes: KillOutcome[] = [];
  const strays: string[] = [];
  let calls = 0;
  let onCall: (call: PacedCall) => void = () => {};
  const load = new PacedLoad(options.address, options.connections, options.callsPerSecond, (call) => {
    calls++;
    onCall(call);
  });
  await using _load = load;
  /** Resolves with the first answered call that `accept` takes; every call goes through `see`. */
  const watch = (what: string, see: (call: PacedCall) => boolean): Promise<PacedCall> =>
    within(
      what,
      new Promise((resolve) => {
        onCall = (call) => {
          if (see(call)) resolve(call);
        };
      }),
      recoveryLimitMs,
    );
  /** A failure that is read late belongs to the kill before: connections are read in no order. */
  const note = (call: PacedCall, recoveredMs: number): void => {
    if (call.failure === undefined) return;
    const last = outcomes.at(-1);
    if (last === undefined || call.startedMs > recoveredMs) strays.push(call.failure);
    else last.failed.push(failedCall(call, last.killedMs));
  };
  let recoveredMs = performance.now();
  for (let kill = 0; kill < options.kills; kill++) {
    let calm = 0;
    const wanted = kill === 0 ? options.warmCalls : options.calmCalls;
    // A call that met one kill has ended before the next: two in a row are not what is measured.
    const { pid } = await watch("calm answers", (call) => {
      note(call, recoveredMs);
      if (call.failure !== undefined || call.startedMs <= recoveredMs) return false;
      return ++calm >= wanted && load.oldestOpenMs > recoveredMs;
    });
    outcomes.push(await killOnce(pid, watch));
    recoveredMs = performance.now();
  }
  onCall = (call) => note(call, recoveredMs);
  return { outcomes, calls, strays };
}

function failedCall({ startedMs, endedMs, failure = "" }: PacedCall, killedMs: number): FailedCall {
  return { begunMs: startedMs - killedMs, endedMs: endedMs - killedMs, failure };
}

async function killOnce(
  pid: number,
  watch: (what: string, see: (call: PacedCall) => boolean) => Promise<PacedCall>,
): Promise<KillOutcome> {
  const seen: PacedCall[] = [];
  const killedMs = performance.now();
  process.kill(pid, "SIGKILL");
  const first = await watch("the successor's first answer", (call) => {
    seen.push(call);
    return call.failure === undefined && call.pid !== pid;
  });
  const failed = seen.filter(({ failure }) => failure !== undefined).map((call) => failedCall(call, killedMs));
  const waited = seen.filter(({ startedMs, failure }) => startedMs > killedMs && failure === undefined);
  return {
    recoveryMs: first.endedMs - killedMs,
    failed,
    killedMs,
    waitedMs: waited.map(({ startedMs, endedMs }) => endedMs - startedMs),
  };
}

/** The value that a share of a list's values stays at or below; 0 for an empty list. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
