import type { Chunk } from "./blob-reader.ts";

/** Bytes that precede the data of a ReadContentResponse, at most: two tags and two varints. */
export const readAnswerRoom = 1 + 10 + 1 + 5;

const offsetTag = (1 << 3) | 0;
const dataTag = (2 << 3) | 2;

/**
 * A chunk, read with `readAnswerRoom` in front, as a serialized ReadContentResponse: the fields are written into the
 * room, so that a blob's bytes are not copied once more by an encoder.
 */
export function frameReadAnswer({ buffer, offset }: Chunk): Buffer {
  const dataBytes = buffer.length - readAnswerRoom;
  const start = readAnswerRoom - headBytes(offset, dataBytes);
  let at = start;
  if (offset > 0) {
    at = buffer.writeUInt8(offsetTag, at);
    at = writeVarint(buffer, at, offset);
  }
  at = buffer.writeUInt8(dataTag, at);
  writeVarint(buffer, at, dataBytes);
  return buffer.subarray(start);
}

function headBytes(offset: number, dataBytes: number): number {
  return (offset > 0 ? 1 + varintBytes(offset) : 0) + 1 + varintBytes(dataBytes);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

function writeVarint(buffer: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) next = buffer.writeUInt8((rest % 0x80) + 0x80, next);
  return buffer.writeUInt8(rest, next);
}
