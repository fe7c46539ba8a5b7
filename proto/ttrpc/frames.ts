/** Bytes of a frame's header: payload length u32, stream id u32, type u8, flags u8, big endian. */
export const ttrpcHeaderBytes = 10;
/** Bytes of a payload, at most; both sides of every ttrpc connection keep to it. */
export const ttrpcPayloadLimitBytes = 4 * 1024 * 1024;

/** Types of frames; peers ignore those they do not know. */
export const ttrpcFrameTypes = { request: 1, response: 2, data: 3 } as const;
/** Flags of frames, since ttrpc 1.2. */
export const ttrpcFlags = { remoteClosed: 1, remoteOpen: 2, noData: 4 } as const;

export interface TtrpcFrame {
  readonly streamId: number;
  /** One of ttrpcFrameTypes, or unknown. */
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** A frame whose payload was too long to take; its bytes are skipped. */
export interface OversizedFrame {
  readonly streamId: number;
  readonly type: number;
  /** Bytes announced. */
  readonly length: number;
  readonly payload: undefined;
}

/** A frame's bytes. The payload is copied. Throws RangeError for more than ttrpcPayloadLimitBytes. */
export function encodeTtrpcFrame(frame: {
  readonly streamId: number;
  readonly type: number;
  readonly flags?: number;
  readonly payload: Uint8Array;
}): Buffer {
  const { length } = frame.payload;
  if (length > ttrpcPayloadLimitBytes) {
    throw new RangeError(`a ttrpc payload has ${length} bytes, more than ${ttrpcPayloadLimitBytes}`);
  }
  const bytes = Buffer.allocUnsafe(ttrpcHeaderBytes + length);
  bytes.writeUInt32BE(length, 0);
  bytes.writeUInt32BE(frame.streamId, 4);
  bytes.writeUInt8(frame.type, 8);
  bytes.writeUInt8(frame.flags ?? 0, 9);
  bytes.set(frame.payload, ttrpcHeaderBytes);
  return bytes;
}

/** Cuts a byte stream into frames; holds at most one unfinished frame. */
export class TtrpcFrameReader {
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Bytes of an oversized payload that are still to come. */
  #skip = 0;

  /** The frames that `chunk` completes. Payloads may alias it. */
  *push(chunk: Buffer): Generator<TtrpcFrame | OversizedFrame, void, undefined> {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) yield frame;
  }

  #next(): TtrpcFrame | OversizedFrame | undefined {
    this.#skipBytes();
    if (this.#bytes < ttrpcHeaderBytes) return undefined;
    const header = this.#join(ttrpcHeaderBytes);
    const length = header.readUInt32BE(0);
    const streamId = header.readUInt32BE(4);
    const type = header.readUInt8(8);
    if (length > ttrpcPayloadLimitBytes) {
      this.#take(ttrpcHeaderBytes);
      this.#skip = length;
      return { streamId, type, length, payload: undefined };
    }
    if (this.#bytes < ttrpcHeaderBytes + length) return undefined;
    const flags = header.readUInt8(9);
    return { streamId, type, flags, payload: this.#take(ttrpcHeaderBytes + length).subarray(ttrpcHeaderBytes) };
  }

  #skipBytes(): void {
    const count = Math.min(this.#skip, this.#bytes);
    if (count === 0) return;
    this.#take(count);
    this.#skip -= count;
  }

  /** The first `count` bytes, or more, in one buffer; there are as many. */
  #join(count: number): Buffer {
    const [first] = this.#parts;
    if (first !== undefined && first.length >= count) return first;
    const joined = Buffer.concat(this.#parts);
    this.#parts = [joined];
    return joined;
  }

  #take(count: number): Buffer {
    const joined = this.#join(count);
    const rest = joined.subarray(count);
    if (rest.length === 0) this.#parts.shift();
    else this.#parts[0] = rest;
    this.#bytes -= count;
    return joined.subarray(0, count);
  }
}
