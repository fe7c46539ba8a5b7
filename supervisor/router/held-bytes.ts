import type { Limits } from "./limits.ts";
import type { Stream } from "./stream.ts";

/** Counts what all streams hold. Over the limit the largest holder is given to `onOverflow`, once for each time. */
export class HeldBytes {
  readonly #holders = new Set<Stream>();
  #bytes = 0;
  /** What windows have beyond those of new streams. */
  #grownBytes = 0;
  limitBytes: number;
  onOverflow: (largest: Stream) => void = () => {};

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `stream` holds `bytes` more. */
  add(stream: Stream, bytes: number): void {
    this.#bytes += bytes;
    this.#holders.add(stream);
    if (this.#bytes > this.limitBytes) this.#cutLargest();
  }

  /** `stream` holds `bytes` less. */
  remove(stream: Stream, bytes: number): void {
    this.#bytes -= bytes;
    if (stream.heldBytes === 0) this.#holders.delete(stream);
  }

  /**
   * By how much the window of a stream that is being read grows, bytes: to twice of what it is while little is held and
   * windows have not grown by much altogether; else it falls back to what new streams have. Whoever leaves gives back.
   */
  growthOf(windowBytes: number, { firstWindowBytes, streamWindowBytes, grownWindowBytes }: Limits): number {
    const calm = this.#bytes <= grownWindowBytes;
    const growth = (calm ? Math.min(windowBytes * 2, streamWindowBytes) : firstWindowBytes) - windowBytes;
    if (growth > 0 && this.#grownBytes + growth > grownWindowBytes) return 0;
    this.#grownBytes += growth;
    return growth;
  }

  /** A stream has ended whose window had grown by `bytes`. */
  returnGrowth(bytes: number): void {
    this.#grownBytes -= bytes;
  }

  #cutLargest(): void {
    let largest: Stream | undefined;
    for (const stream of this.#holders) {
      if (largest === undefined || stream.heldBytes > largest.heldBytes) largest = stream;
    }
    if (largest !== undefined) this.onOverflow(largest);
  }
}
