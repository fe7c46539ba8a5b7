import { errorCodes } from "#proto/http2/constants.ts";
import { ConnectionError } from "#proto/http2/protocol-error.ts";

/** Bounds one kind of frame of one connection: so many a second, as many at once, and one more for each useful frame. */
export class FloodGuard {
  readonly #what: string;
  readonly #perSecond: number;
  readonly #now: () => number;
  #left: number;
  #since: number;

  /**
   * @param what names the frames in the error.
   * @param now milliseconds, monotonic.
   */
  constructor(what: string, perSecond: number, now: () => number) {
    this.#what = what;
    this.#perSecond = perSecond;
    this.#now = now;
    this.#left = perSecond;
    this.#since = now();
  }

  /** Gives one back. */
  earn(): void {
    if (this.#left < this.#perSecond) this.#left++;
  }

  /** Counts one. Throws ConnectionError (ENHANCE_YOUR_CALM) when there were too many. */
  spend(): void {
    if (--this.#left >= 0) return;
    const now = this.#now();
    const due = Math.floor(((now - this.#since) * this.#perSecond) / 1000);
    // What is left of a fraction counts for the next time.
    if (due > 0) this.#since = now;
    this.#left = Math.min(this.#perSecond, this.#left + due);
    if (this.#left >= 0) return;
    throw new ConnectionError(errorCodes.enhanceYourCalm, `more than ${this.#perSecond} ${this.#what} in a second`);
  }
}
