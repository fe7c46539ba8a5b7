import { setImmediate } from "node:timers/promises";

/** Milliseconds of work in one go: what a call may wait for it. */
const sliceMs = 4;

/** Work cut into slices, so that calls are served in between; counts the time it took itself. */
export class Slices {
  #startedMs = performance.now();
  #workedMs = 0;

  /** Milliseconds of work so far, waits left out. */
  get workedMs(): number {
    return this.#workedMs + performance.now() - this.#startedMs;
  }

  /** Counts work that was done elsewhere. */
  add(ms: number): void {
    this.#workedMs += ms;
  }

  /** Between two pieces of work: lets others run if this slice is over. Throws the reason when `signal` aborts. */
  async pause(signal: AbortSignal): Promise<void> {
    if (performance.now() - this.#startedMs < sliceMs) return;
    await this.wait(() => setImmediate());
    signal.throwIfAborted();
  }

  /** Waits for something that is not this work. */
  async wait<T>(work: () => Promise<T>): Promise<T> {
    this.#workedMs += performance.now() - this.#startedMs;
    try {
      return await work();
    } finally {
      this.#startedMs = performance.now();
    }
  }
}
