import { Echo } from "../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { clientOf, connect, type Channel } from "#rpc";

/** One call of a load that has ended; times are performance.now(). */
export interface PacedCall {
  readonly startedMs: number;
  readonly endedMs: number;
  /** Who answered; 0: nobody. */
  readonly pid: number;
  /** Undefined: it was answered. */
  readonly failure: string | undefined;
}

/** Calls begun in one tick at most, so that a stalled client does not catch up with a flood. */
const burstLimit = 50;
const tickMs = 1;

/**
 * Calls to the echo service at a steady rate over several connections, whatever becomes of those before: callers do not
 * wait for one another. Owns: the connections.
 */
export class PacedLoad implements AsyncDisposable {
  readonly #channels: readonly Channel[];
  readonly #onCall: (call: PacedCall) => void;
  /** Open calls in the order of their beginning, and when that was. */
  readonly #open = new Map<Promise<void>, number>();
  readonly #timer: NodeJS.Timeout;
  #begun = 0;

  /** `onCall` hears of each call's end. */
  constructor(address: string, connections: number, callsPerSecond: number, onCall: (call: PacedCall) => void) {
    this.#channels = Array.from({ length: connections }, () => connect(address));
    this.#onCall = onCall;
    const startedMs = performance.now();
    let skipped = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedMs) * callsPerSecond) / 1000) - skipped;
      const now = Math.min(due - this.#begun, burstLimit);
      for (let count = 0; count < now; count++) this.#begin();
      skipped += due - this.#begun;
    }, tickMs);
  }

  /** When the oldest open call was begun; Infinity: none is open. */
  get oldestOpenMs(): number {
    for (const startedMs of this.#open.values()) return startedMs;
    return Number.POSITIVE_INFINITY;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open.keys());
    for (const channel of this.#channels) channel[Symbol.dispose]();
  }

  #begin(): void {
    const channel = this.#channels[this.#begun++ % this.#channels.length];
    if (channel === undefined) return;
    const call: Promise<void> = this.#call(channel).finally(() => this.#open.delete(call));
    this.#open.set(call, performance.now());
  }

  async #call(channel: Channel): Promise<void> {
    const startedMs = performance.now();
    let pid = 0;
    let failure: string | undefined;
    try {
      ({ pid } = await this.#say(channel));
    } catch (error) {
      failure = String(error);
    }
    this.#onCall({ startedMs, endedMs: performance.now(), pid, failure });
  }

  async #say(channel: Channel): Promise<{ readonly pid: number }> {
    const { pid } = await clientOf(Echo, channel).say({ text: "paced" });
    return { pid: Number(pid) };
  }
}
