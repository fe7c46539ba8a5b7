import { createGunzip } from "node:zlib";
import { HostError } from "#proto/wire/errors.ts";
import { through } from "./through.ts";
import { zstdFrames } from "./zstd-frames.ts";

/** Uncompressed bytes in one chunk: half as many, or twice, were slower. */
const chunkBytes = 512 * 1024;

/** Bytes that may wait uncompressed while those before are written. */
const aheadBytes = 4 * chunkBytes;

/** First bytes that tell the compression. */
const sniffedBytes = 8;

/** The bytes of a source, uncompressed; what compression it has its first bytes say. Throws unknown for damaged ones. */
export async function* decompressed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  const head = await readHead(iterator);
  const rest = { [Symbol.asyncIterator]: () => iterator };
  const whole = chained(head, rest);
  const decompress = decompressionFor(head);
  yield* decompress === undefined ? whole : undamaged(decompress(whole));
}

async function readHead(iterator: AsyncIterator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < sniffedBytes) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return head;
}

async function* chained(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  if (head.length > 0) yield head;
  yield* rest;
}

/** Decompression for what a head tells; undefined: it is not compressed. */
function decompressionFor(head: Buffer): ((source: AsyncIterable<Buffer>) => AsyncIterable<Buffer>) | undefined {
  const options = { chunkSize: chunkBytes, readableHighWaterMark: aheadBytes };
  if (head.length >= 3 && head[0] === 0x1f && head[1] === 0x8b && head[2] === 0x08) {
    return (source) => through(source, createGunzip(options));
  }
  if (head.length < 4) return undefined;
  const magic = head.readUInt32LE(0);
  const isSkippable = magic >>> 4 === 0x184d2a5 && head.length >= 8;
  return magic === 0xfd2fb528 || isSkippable ? (source) => zstdFrames(source, options) : undefined;
}

async function* undamaged(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* source;
  } catch (error) {
    throw isDamage(error) ? damaged(error) : error;
  }
}

function isDamage(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && /^(Z_|ZSTD_)/.test(String(error.code));
}

function damaged(error: Error): HostError {
  return new HostError("unknown", `the layer's compressed bytes are damaged: ${error.message}`, { cause: error });
}
