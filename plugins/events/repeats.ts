import { hash } from "node:crypto";

/** Envelopes remembered, at most. */
const countLimit = 8_192;
/** Milliseconds for which one is: a shim gives up on an event after five tries with 1 to 5 s between. */
const windowMs = 5 * 60_000;

/**
 * Knows envelopes that came before: a shim that lost the answer sends the same bytes again. Two events never have the
 * same bytes, for each has its nanosecond. Owns: a window of recent envelopes.
 */
export class Repeats {
  readonly #seen = new Map<string, number>();
  readonly #nowMs: () => number;

  /** `nowMs`: a clock that never goes back. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Whether these bytes came within the window; remembers them. */
  isRepeat(envelope: Uint8Array): boolean {
    const now = this.#nowMs();
    this.#forget(now);
    const key = hash("sha256", envelope, "base64");
    if (this.#seen.has(key)) return true;
    this.#seen.set(key, now);
    return false;
  }

  #forget(now: number): void {
    for (const [key, at] of this.#seen) {
      if (this.#seen.size < countLimit && now - at < windowMs) return;
      this.#seen.delete(key);
    }
  }
}
