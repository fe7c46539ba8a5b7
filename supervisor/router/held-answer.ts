import type { Clock, Timer } from "../clock.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { HeldData } from "./held-data.ts";
import type { Stream } from "./stream.ts";

/** DATA that an answer may have and still be held, bytes. */
const mostBytes = 4 * 1024;
/**
 * How long the rest of it is waited for: longer than a killed process takes to be gone, and no more than a caller of a
 * stream notices once.
 */
const mostMs = 10;

/**
 * The beginning of a small answer, kept from the client until the rest of it is there: a process that dies between the
 * two has answered nothing, and a call that may be repeated is asked again. Owns: its bytes and a timer.
 */
export class HeldAnswer implements Disposable {
  readonly #block: Buffer;
  readonly #data: HeldData;
  readonly #clock: Clock;
  readonly #timer: Timer;

  /** `block`: its HEADERS. `late` is called when the rest has not come in time. */
  constructor(block: Buffer, pool: BufferPool, clock: Clock, late: () => void) {
    this.#block = Buffer.from(block); // lies in what was read
    this.#data = new HeldData(pool);
    this.#clock = clock;
    this.#timer = clock.setTimer(late, mostMs);
  }

  get bytes(): number {
    return this.#data.bytes;
  }

  /** Keeps `source[start..end)` as well; false: that would be too much. */
  add(source: Buffer, start: number, end: number): boolean {
    if (this.#data.bytes + end - start > mostBytes) return false;
    this.#data.add(source, start, end);
    return true;
  }

  /** Sends all of it to the client. */
  release(client: Stream): void {
    client.sendHeaders(this.#block, false);
    for (const { bytes, start, end } of this.#data.chunks) client.send(bytes, start, end, false);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#clock.clearTimer(this.#timer);
    this.#data.clear();
  }
}
