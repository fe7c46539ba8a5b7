import { within } from "../deadline.ts";
import { PacedLoad, type PacedCall } from "../paced-load.ts";

const answerLimitMs = 30_000;

/** A steady load on the echo service that remembers what failed. Owns: the load. */
export class StormLoad implements AsyncDisposable {
  readonly failures: PacedCall[] = [];
  /** Processes that answered. */
  readonly pids = new Set<number>();
  calls = 0;
  /** Longest that a call took, milliseconds. */
  longestMs = 0;
  readonly #load: PacedLoad;
  readonly #waiting = new Set<(call: PacedCall) => void>();

  constructor(address: string, connections: number, callsPerSecond: number) {
    this.#load = new PacedLoad(address, connections, callsPerSecond, (call) => this.#note(call));
  }

  /** Resolves once that many calls that were begun after `sinceMs` have been answered, and none before is open. */
  async calm(sinceMs: number, answers: number): Promise<void> {
    let left = answers;
    const { promise, resolve } = Promise.withResolvers<void>();
    const see = (call: PacedCall): void => {
      if (call.failure !== undefined || call.startedMs <= sinceMs) return;
      if (--left <= 0 && this.#load.oldestOpenMs > sinceMs) resolve();
    };
    this.#waiting.add(see);
    try {
      await within(`${answers} calm answers`, promise, answerLimitMs);
    } finally {
      this.#waiting.delete(see);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
  }

  #note(call: PacedCall): void {
    this.calls++;
    this.longestMs = Math.max(this.longestMs, call.endedMs - call.startedMs);
    if (call.failure === undefined) this.pids.add(call.pid);
    else this.failures.push(call);
    for (const see of this.#waiting) see(call);
  }
}
