import { errorCodes, frameHeaderBytes } from "./constants.ts";
import { ConnectionError } from "./protocol-error.ts";

/** Takes whole frames. The payload is `bytes[start..end)` and valid only during the call. */
export interface FrameSink {
  /** Once true, the reader stops: the sink takes no more frames, now or for good. */
  readonly ended: boolean;
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
}

/** Lends buffers of at least the bytes asked for, whose contents do not matter, and takes them back. */
export interface BufferSource {
  take(bytes: number): Buffer;
  give(buffer: Buffer): void;
}

const ownBuffers: BufferSource = { take: (bytes) => Buffer.allocUnsafeSlow(bytes), give: () => {} };

/**
 * Cuts chunks into frames. A frame that lies whole in a chunk is not copied; one that spans chunks is put together
 * in a buffer that is borrowed until then.
 */
export class FrameReader {
  readonly #maxFrameBytes: number;
  readonly #buffers: BufferSource;
  #held: Buffer | undefined;
  #heldBytes = 0;

  constructor(maxFrameBytes: number, buffers = ownBuffers) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#buffers = buffers;
  }

  /**
   * Reads `chunk[start..end)`; answers where it stopped, which is `end` unless the sink ended. Throws ConnectionError on
   * a frame over the limit, and whatever the sink throws.
   */
  read(chunk: Buffer, start: number, end: number, sink: FrameSink): number {
    if (sink.ended) return start;
    let at = this.#heldBytes === 0 ? start : this.#completeHeld(chunk, start, end, sink);
    while (end - at >= frameHeaderBytes && !sink.ended) {
      const length = this.#lengthAt(chunk, at);
      const next = at + frameHeaderBytes + length;
      if (next > end) break;
      emit(chunk, at, next, sink);
      at = next;
    }
    if (sink.ended) return at;
    if (at < end) this.#hold(chunk, at, end);
    return end;
  }

  /** Feeds the frame left over from earlier chunks; answers where the next frame begins. */
  #completeHeld(chunk: Buffer, start: number, end: number, sink: FrameSink): number {
    let at = start;
    if (this.#heldBytes < frameHeaderBytes) {
      at = this.#append(chunk, at, Math.min(end, at + frameHeaderBytes - this.#heldBytes));
      if (this.#heldBytes < frameHeaderBytes) return end;
    }
    const held = this.#held;
    if (held === undefined) return at;
    const frameBytes = frameHeaderBytes + this.#lengthAt(held, 0);
    at = this.#append(chunk, at, Math.min(end, at + frameBytes - this.#heldBytes));
    if (this.#heldBytes < frameBytes) return end;
    const whole = this.#held ?? held;
    this.#heldBytes = 0;
    this.#held = undefined;
    emit(whole, 0, frameBytes, sink);
    this.#buffers.give(whole);
    return at;
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    if (end - start >= frameHeaderBytes) this.#reserve(frameHeaderBytes + this.#lengthAt(chunk, start));
    this.#append(chunk, start, end);
  }

  #append(chunk: Buffer, start: number, end: number): number {
    if (this.#heldBytes >= frameHeaderBytes && this.#held !== undefined) {
      this.#reserve(frameHeaderBytes + this.#lengthAt(this.#held, 0));
    } else {
      this.#reserve(frameHeaderBytes);
    }
    if (this.#held !== undefined) chunk.copy(this.#held, this.#heldBytes, start, end);
    this.#heldBytes += end - start;
    return end;
  }

  #reserve(bytes: number): void {
    if (this.#held !== undefined && this.#held.length >= bytes) return;
    const larger = this.#buffers.take(bytes);
    if (this.#held !== undefined) {
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#buffers.give(this.#held);
    }
    this.#held = larger;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    if (length > this.#maxFrameBytes) {
      throw new ConnectionError(
        errorCodes.frameSizeError,
        `frame of ${length} bytes is over the limit of ${this.#maxFrameBytes}`,
      );
    }
    return length;
  }
}

function emit(bytes: Buffer, at: number, end: number, sink: FrameSink): void {
  sink.onFrame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, readUint31(bytes, at + 5), bytes, at + frameHeaderBytes, end);
}

/** A 31-bit number; the reserved top bit is ignored, as RFC 9113 asks. */
export function readUint31(bytes: Buffer, at: number): number {
  return readUint32(bytes, at) & 0x7fffffff;
}

/** An unsigned 32-bit number. */
export function readUint32(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}
