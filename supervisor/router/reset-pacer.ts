import type { Clock, Timer } from "../clock.ts";

/**
 * HTTP/2 libraries take many RST_STREAM for the attack of CVE-2023-44487 and end the connection, with the calls of
 * everyone on it: nghttp2 (Node's) after 1,000 at once or 33 a second. These stay below.
 */
const mostAtOnce = 500;
const perSecond = 25;

/**
 * The resets that go out on one connection: the first ones at once, those beyond as time allows. Owns: their timer.
 */
export class ResetPacer {
  readonly #clock: Clock;
  readonly #send: (streamId: number, code: number) => void;
  /** By stream id, oldest first. */
  readonly #waiting = new Map<number, number>();
  #left = mostAtOnce;
  #sinceMs: number;
  #timer: Timer | undefined;

  constructor(clock: Clock, send: (streamId: number, code: number) => void) {
    this.#clock = clock;
    this.#send = send;
    this.#sinceMs = clock.monotonic();
  }

  /** Whether the reset of that stream has not gone out yet. */
  holds(streamId: number): boolean {
    return this.#waiting.has(streamId);
  }

  /** Resets a stream now or later; answers whether now. */
  reset(streamId: number, code: number): boolean {
    this.#earn();
    if (this.#left < 1) {
      this.#waiting.set(streamId, code);
      this.#timer ??= this.#clock.setTimer(() => this.#sendNext(), 1000 / perSecond);
      return false;
    }
    this.#left--;
    this.#send(streamId, code);
    return true;
  }

  /** Sends no more. */
  stop(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #sendNext(): void {
    this.#timer = undefined;
    const next = this.#waiting.entries().next().value;
    if (next === undefined) return;
    const [streamId, code] = next;
    this.#waiting.delete(streamId);
    this.#send(streamId, code);
    this.#sinceMs = this.#clock.monotonic();
    if (this.#waiting.size > 0) this.#timer = this.#clock.setTimer(() => this.#sendNext(), 1000 / perSecond);
  }

  #earn(): void {
    if (this.#left >= mostAtOnce || this.#waiting.size > 0) return;
    const now = this.#clock.monotonic();
    this.#left = Math.min(mostAtOnce, this.#left + ((now - this.#sinceMs) * perSecond) / 1000);
    this.#sinceMs = now;
  }
}
