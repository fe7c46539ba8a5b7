import { createHash } from "node:crypto";

/** Bytes of one part of a key that are kept as they are; LMDB takes 1,978 in all. */
const partLimitBytes = 512;

const terminator = 0x00;
/** Follows a zero byte that belongs to a part; no part begins with it. */
const escape = 0xff;

/**
 * A database key: parts in sequence, so that keys sort by the bytes of their parts, as bolt's buckets do. A part that
 * is too long keeps its beginning, followed by a hash of the whole: such names sort by their first 512 bytes only.
 */
export function encodeKey(parts: readonly string[]): Buffer {
  return Buffer.concat(parts.map(encodePart));
}

/** The bytes after every key that begins with these parts. */
export function keyRangeEnd(prefix: Uint8Array): Buffer {
  return Buffer.concat([prefix, Buffer.of(escape)]);
}

function encodePart(part: string): Buffer {
  const bytes = escapeZeros(Buffer.from(part));
  if (bytes.length <= partLimitBytes) return Buffer.concat([bytes, Buffer.of(terminator)]);
  const hash = createHash("sha256").update(bytes).digest("hex");
  return Buffer.concat([bytes.subarray(0, partLimitBytes), Buffer.from(hash), Buffer.of(terminator)]);
}

function escapeZeros(bytes: Buffer): Buffer {
  if (!bytes.includes(terminator)) return bytes;
  return Buffer.from([...bytes].flatMap((byte) => (byte === terminator ? [terminator, escape] : [byte])));
}
