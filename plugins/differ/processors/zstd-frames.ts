import { createZstdDecompress, type ZstdOptions } from "node:zlib";
import { through } from "./through.ts";

/**
 * The bytes of all frames of a zstd source. Node's stream ends with the first one where more input is at hand, and what
 * it has not taken begins the next: archives that can be read in parts have a frame for each, and frames to skip.
 */
export async function* zstdFrames(
  source: AsyncIterable<Buffer>,
  options: ZstdOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const input = new UntakenInput(source);
  do {
    const transform = createZstdDecompress(options);
    yield* through(
      input.frame(() => transform.bytesWritten),
      transform,
    );
    input.endFrame(transform.bytesWritten);
  } while (await input.hasMore());
}

/** A source that gives again what nobody took. */
class UntakenInput {
  readonly #source: AsyncIterator<Buffer>;
  /** Given to the current frame, and not all taken yet. */
  #given: Buffer[] = [];
  /** Bytes of the frame before those. */
  #takenBytes = 0;
  /** To be given first. */
  #pending: Buffer[] = [];

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Chunks for one frame, as many as it asks for; `taken` tells how many bytes it has used. */
  async *frame(taken: () => number): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const chunk = this.#pending.shift() ?? (await this.#next());
      if (chunk === undefined) return;
      this.#given.push(chunk);
      yield chunk;
      this.#forget(taken());
    }
  }

  /** The frame is over, and has used so many bytes of what it was given. */
  endFrame(bytes: number): void {
    this.#forget(bytes);
    const [first, ...rest] = this.#given;
    if (first !== undefined) this.#pending.unshift(first.subarray(bytes - this.#takenBytes), ...rest);
    this.#given = [];
    this.#takenBytes = 0;
  }

  async hasMore(): Promise<boolean> {
    if (this.#pending.length > 0) return true;
    const chunk = await this.#next();
    if (chunk === undefined) return false;
    this.#pending.push(chunk);
    return true;
  }

  #forget(bytes: number): void {
    for (let first = this.#given[0]; first !== undefined; first = this.#given[0]) {
      if (this.#takenBytes + first.length > bytes) return;
      this.#takenBytes += first.length;
      this.#given.shift();
    }
  }

  async #next(): Promise<Buffer | undefined> {
    const next = await this.#source.next();
    return next.done === true ? undefined : next.value;
  }
}
