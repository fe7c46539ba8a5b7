import { closeSync, fstatSync, openSync, read, readSync } from "node:fs";
import { promisify } from "node:util";
import { HostError } from "bulkhead/plugin";

const readLater = promisify(read);

/** Bytes in one answer to a read. */
export const readChunkBytes = 1024 * 1024;
/** Up to here a read is done at once, in one turn: each hop to the thread pool would cost more. */
const directBytes = 64 * 1024;

/** A piece of a blob. */
export interface Chunk {
  /** The bytes begin at the range's `room`. The receiver's until it asks for the next piece. */
  readonly buffer: Buffer;
  /** Bytes from the start of the read. */
  readonly offset: number;
}

export interface ReadRange {
  /** Bytes; negative ones count as 0. */
  readonly offset: bigint;
  /** Bytes; 0 or less, or past the end: to the end. */
  readonly size: bigint;
  /** Bytes to leave free in front of each chunk, for what precedes them on the wire. */
  readonly room: number;
}

/** What is read of an open file. */
interface Slice {
  readonly fd: number;
  readonly start: number;
  readonly bytes: number;
  readonly room: number;
}

/**
 * A blob's bytes in chunks of up to 1 MiB; the next one is read while the caller has the last, and two buffers do for
 * all: a new one for each would be megabytes of garbage before the collector comes. Throws out-of-range
 * past the end, and ENOENT where there is no such file.
 */
export async function* readBlob(path: string, range: ReadRange): AsyncGenerator<Chunk, void, undefined> {
  const fd = openSync(path, "r");
  try {
    const start = range.offset > 0n ? Number(range.offset) : 0;
    const bytes = bytesToRead(fstatSync(fd).size, start, range.size);
    const slice = { fd, start, bytes, room: range.room };
    if (bytes > directBytes) yield* readAhead(slice);
    else if (bytes > 0) yield { buffer: readNow(slice), offset: 0 };
  } finally {
    closeSync(fd);
  }
}

function bytesToRead(length: number, start: number, size: bigint): number {
  if (start > length) throw new HostError("out-of-range", `read past object length ${length} bytes`);
  const rest = length - start;
  return size <= 0n || size > BigInt(rest) ? rest : Number(size);
}

function readNow({ fd, start, bytes, room }: Slice): Buffer {
  const buffer = Buffer.allocUnsafe(room + bytes);
  for (let done = 0; done < bytes; ) done += notNone(readSync(fd, buffer, room + done, bytes - done, start + done));
  return buffer;
}

async function* readAhead(slice: Slice): AsyncGenerator<Chunk, void, undefined> {
  const chunkBytes = slice.room + Math.min(readChunkBytes, slice.bytes);
  // Slabs of their own: pooled memory would keep megabytes alive for kilobytes.
  let spare: Buffer = Buffer.allocUnsafeSlow(chunkBytes);
  let next = readChunk(slice, 0, Buffer.allocUnsafeSlow(chunkBytes));
  try {
    for (let offset = 0; offset < slice.bytes; offset += readChunkBytes) {
      const buffer = await next;
      next = readChunk(slice, offset + readChunkBytes, spare);
      next.catch(() => {}); // heard where it is awaited: next time round, or below
      yield { buffer, offset };
      spare = buffer;
    }
  } finally {
    await next.catch(() => {}); // the file must not be closed under it
  }
}

/** Reads into `buffer`, which a whole chunk fits, and gives the part of it that a shorter last one needs. */
async function readChunk({ fd, start, bytes, room }: Slice, offset: number, buffer: Buffer): Promise<Buffer> {
  const wanted = Math.max(0, Math.min(readChunkBytes, bytes - offset));
  for (let done = 0; done < wanted; ) {
    const { bytesRead } = await readLater(fd, buffer, room + done, wanted - done, start + offset + done);
    done += notNone(bytesRead);
  }
  return buffer.subarray(0, room + wanted);
}

function notNone(bytesRead: number): number {
  if (bytesRead === 0) throw new HostError("data-loss", "the blob became shorter while it was read");
  return bytesRead;
}
