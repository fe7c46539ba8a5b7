/** A timer of a clock: nothing but what `clearTimer` takes. */
export type Timer = object;

/** Time as supervision and parking see it; given to them, so that a simulation can have a time of its own. */
export interface Clock {
  /** Milliseconds since 1970. Jumps when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds of one process's life. Never jumps, and stands still while the machine is suspended. */
  monotonic(): number;
  /** Calls `callback` once, `delayMs` from now. */
  setTimer(callback: () => void, delayMs: number): Timer;
  clearTimer(timer: Timer | undefined): void;
}

/** The machine's. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};

/** A signal that aborts after `ms`, until it is disposed. Owns: its timer. */
export class Deadline implements Disposable {
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #timer: Timer;

  constructor(clock: Clock, ms: number) {
    const controller = new AbortController();
    this.signal = controller.signal;
    this.#clock = clock;
    this.#timer = clock.setTimer(() => controller.abort(new DOMException(`no answer in ${ms} ms`, "TimeoutError")), ms);
  }

  [Symbol.dispose](): void {
    this.#clock.clearTimer(this.#timer);
  }
}
