import { connect as connectSocket } from "node:net";
import { Echo } from "../../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { clientOf, connect } from "#rpc";
import type { BulkheadDaemon } from "../bulkhead-daemon.ts";
import { controlBooted, partPid } from "../parts.ts";
import { StormLoad } from "./storm-load.ts";

export interface RouterStormReport {
  readonly deaths: number;
  readonly calls: number;
  /** Attempts to connect, and what became of those that were turned down. */
  readonly connects: number;
  readonly refused: readonly string[];
  /** From each death to the answer of a call that was begun on a fresh connection right after it, milliseconds. */
  readonly freshMs: readonly number[];
  readonly freshFailures: readonly string[];
  /** Calls that failed; times are milliseconds after the last death before them. */
  readonly failed: readonly { readonly begunMs: number; readonly endedMs: number; readonly failure: string }[];
}

export interface RouterStormOptions {
  readonly deaths: number;
  readonly connections: number;
  readonly callsPerSecond: number;
  /** Answers before the first kill: a daemon that has just booted still compiles and collects in every process. */
  readonly warmCalls: number;
  /** Answers between one death's end and the next. */
  readonly calmCalls: number;
  /** Kills control in the same moment. */
  readonly withControl: boolean;
}

/** Kills the router again and again under load; the daemon must log at debug level. */
export async function stormRouter(daemon: BulkheadDaemon, options: RouterStormOptions): Promise<RouterStormReport> {
  const killedMs: number[] = [];
  const freshMs: number[] = [];
  const freshFailures: string[] = [];
  const load = new StormLoad(daemon.address, options.connections, options.callsPerSecond);
  const attempts = new ConnectLoop(daemon.address);
  {
    await using _load = load;
    await using _attempts = attempts;
    await load.calm(performance.now(), options.warmCalls);
    for (let death = 1; death <= options.deaths; death++) {
      const pids = [await partPid(daemon, "router", death)];
      if (options.withControl) pids.push(await partPid(daemon, "control", death));
      const now = performance.now();
      killedMs.push(now);
      for (const pid of pids) process.kill(pid, "SIGKILL");
      await sayOnce(daemon.address).catch((error: unknown) => freshFailures.push(String(error)));
      freshMs.push(performance.now() - now);
      if (options.withControl) await controlBooted(daemon, death + 1);
      await load.calm(performance.now(), options.calmCalls);
    }
  }
  const failed = load.failures.map(({ startedMs, endedMs, failure = "" }) => {
    const last = killedMs.findLast((each) => each <= endedMs) ?? 0;
    return { begunMs: startedMs - last, endedMs: endedMs - last, failure };
  });
  const { count: connects, refused } = attempts;
  return { deaths: options.deaths, calls: load.calls, connects, refused, freshMs, freshFailures, failed };
}

async function sayOnce(address: string): Promise<void> {
  using channel = connect(address);
  await clientOf(Echo, channel).say({ text: "fresh" });
}

/** Connects to a socket again and again, one attempt a few milliseconds, whatever becomes of it. */
class ConnectLoop implements AsyncDisposable {
  readonly refused: string[] = [];
  count = 0;
  readonly #address: string;
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();

  constructor(address: string) {
    this.#address = address;
    this.#timer = setInterval(() => {
      const attempt = this.#attempt().finally(() => this.#open.delete(attempt));
      this.#open.add(attempt);
    }, 5);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
  }

  #attempt(): Promise<void> {
    this.count++;
    return new Promise((resolve) => {
      const socket = connectSocket(this.#address);
      socket.once("connect", () => socket.destroy());
      socket.once("error", (error) => this.refused.push(String(error)));
      socket.once("close", () => resolve());
    });
  }
}
