import type { BufferPool } from "./buffer-pool.ts";

interface Chunk {
  readonly bytes: Buffer;
  start: number;
  end: number;
}

const leastChunkBytes = 512;
const largestChunkBytes = 16 * 1024;
/** What comes in one piece of that length leaves in one. */
const wholeBytes = 4 * 1024;

/**
 * DATA that waits, first in, first out. Bytes are copied into chunks: large frames into one of their own, tiny ones
 * together into chunks that grow, so that many cost no more than their bytes. Owns: its chunks, lent by the pool.
 */
export class HeldData {
  bytes = 0;
  readonly #pool: BufferPool;
  #chunks: Chunk[] = [];

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Copies `source[start..end)`. */
  add(source: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    for (let at = start; at < end; ) {
      const chunk = this.#room(end - at);
      const length = Math.min(end - at, chunk.bytes.length - chunk.end);
      source.copy(chunk.bytes, chunk.end, at, at + length);
      chunk.end += length;
      at += length;
    }
  }

  /** All of it, in order; the caller only reads. */
  get chunks(): readonly Readonly<Chunk>[] {
    return this.#chunks;
  }

  /** What comes first; `take` says how much of it was used. */
  get first(): Readonly<Chunk> | undefined {
    return this.#chunks[0];
  }

  /** Drops the first `length` bytes, which lie in the first chunk. */
  take(length: number): void {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return;
    this.bytes -= length;
    chunk.start += length;
    if (chunk.start < chunk.end) return;
    this.#chunks.shift();
    this.#pool.give(chunk.bytes);
  }

  /** Drops all. */
  clear(): void {
    for (const chunk of this.#chunks) this.#pool.give(chunk.bytes);
    this.#chunks = [];
    this.bytes = 0;
  }

  #room(wanted: number): Chunk {
    const last = this.#chunks.at(-1);
    const room = last === undefined ? 0 : last.bytes.length - last.end;
    if (last !== undefined && (room >= wanted || (room > 0 && wanted < wholeBytes))) return last;
    const before = last === undefined || last.bytes.length >= largestChunkBytes ? 0 : last.bytes.length;
    const size = Math.min(largestChunkBytes, Math.max(wanted, leastChunkBytes, before * 2));
    const bytes = this.#pool.take(size);
    const chunk = { bytes, start: 0, end: 0 };
    this.#chunks.push(chunk);
    return chunk;
  }
}
