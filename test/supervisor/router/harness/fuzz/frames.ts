import { frameHeaderBytes } from "#proto/http2/constants.ts";

/** One frame as it is on the wire; `payload` is a copy. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** The bytes of a frame; `length` is what its head says, if that is to differ from the truth. */
export function encodeFrame(frame: Frame, length: number = frame.payload.length): Buffer {
  const head = Buffer.alloc(frameHeaderBytes);
  head.writeUIntBE(length % 2 ** 24, 0, 3);
  head[3] = frame.type;
  head[4] = frame.flags;
  head.writeUInt32BE(frame.streamId >>> 0, 5);
  return Buffer.concat([head, frame.payload]);
}

/** The whole frames of `bytes`, as any receiver would cut them; what is left at the end is no frame. */
export function cutFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + frameHeaderBytes <= bytes.length; ) {
    const end = at + frameHeaderBytes + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      streamId: bytes.readUInt32BE(at + 5) & 0x7fffffff,
      payload: Buffer.from(bytes.subarray(at + frameHeaderBytes, end)),
    });
    at = end;
  }
  return frames;
}

/** Four bytes, big-endian. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
