/** Room for the frame's header beside a whole frame. */
const frameBytes = 16 * 1024 + 64;
/** The most that one read of a socket brings. */
export const readBytes: number = 64 * 1024;

/**
 * Sizes that are kept, and how many of each. What traffic needs at once is kept, since a buffer that is made and
 * dropped costs more than its bytes: the collector comes late for what is outside its heap.
 */
const classes: readonly { readonly bytes: number; readonly kept: number }[] = [
  { bytes: 512, kept: 2048 },
  { bytes: 4 * 1024, kept: 256 },
  { bytes: frameBytes, kept: 1024 },
  { bytes: 50 * 1024, kept: 64 },
  { bytes: readBytes, kept: 16 },
];

/** Lends buffers, so that a connection at rest owns none and traffic makes no garbage outside the heap. */
export class BufferPool {
  readonly #free: readonly Buffer[][] = classes.map(() => []);

  /** A buffer of at least `bytes`; its contents are old. */
  take(bytes: number): Buffer {
    for (const [at, size] of classes.entries()) {
      if (bytes <= size.bytes) return this.#free[at]?.pop() ?? Buffer.allocUnsafeSlow(size.bytes);
    }
    return Buffer.allocUnsafeSlow(bytes);
  }

  /** Takes back what `take` lent and nobody reads any more; other sizes are left to the collector. */
  give(buffer: Buffer): void {
    for (const [at, size] of classes.entries()) {
      const free = this.#free[at];
      if (buffer.length === size.bytes && free !== undefined && free.length < size.kept) free.push(buffer);
    }
  }
}
