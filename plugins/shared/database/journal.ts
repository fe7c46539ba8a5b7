import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { isDiskFull } from "./disk-reserve.ts";

/** Size of the file, written in full beforehand: an append changes nothing but data, and needs one flush. */
export const journalBytes = 256 * 1024;

/** Checksum of all that follows, length of the payload, epoch, place in the sequence. */
const headerBytes = 24;
const removed = 0xffffffff;

/** What becomes of a key: its bytes as latin1, and its value; undefined: removed. */
export interface KeyChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/**
 * A file that commits are appended to, one write and one flush each, until the database proper takes them over. What
 * stands in it belongs to an epoch, a random number that the database records: after each take-over there is a new
 * one, and older content means nothing. Owns: its descriptor.
 */
export class Journal implements Disposable {
  readonly #fd: number;
  #epoch = 0n;
  #endBytes = 0;
  #sequence = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens the file, making it where it is missing or short; undefined: the disk has no room for it. */
  static open(file: string): Journal | undefined {
    const fd = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC, 0o600);
    try {
      if (fstatSync(fd).size < journalBytes) {
        writeAll(fd, Buffer.alloc(journalBytes), 0);
        fsyncSync(fd);
      }
    } catch (error) {
      closeSync(fd);
      if (isDiskFull(error)) return undefined;
      throw error;
    }
    return new Journal(fd);
  }

  /** The commits of this epoch, in their order; one that was cut short ends them. */
  *read(epoch: bigint): Iterable<KeyChange[]> {
    const bytes = Buffer.alloc(journalBytes);
    readSync(this.#fd, bytes, 0, journalBytes, 0);
    let [at, sequence] = [0, 0];
    for (;;) {
      const payload = recordAt(bytes, at, epoch, sequence);
      if (payload === undefined) return;
      yield decodeChanges(payload);
      at += headerBytes + payload.length;
      sequence++;
    }
  }

  /** Everything before is of no meaning from now on. */
  begin(epoch: bigint): void {
    this.#epoch = epoch;
    this.#endBytes = 0;
    this.#sequence = 0;
  }

  /** Puts a commit on disk; false: there is no room, and nothing was written. Throws the system's error. */
  append(changes: readonly KeyChange[]): boolean {
    const record = encodeRecord(changes, this.#epoch, this.#sequence);
    if (this.#endBytes + record.length > journalBytes) return false;
    writeAll(this.#fd, record, this.#endBytes);
    this.#endBytes += record.length;
    this.#sequence++;
    return true;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function encodeRecord(changes: readonly KeyChange[], epoch: bigint, sequence: number): Buffer {
  let length = headerBytes;
  for (const { key, value } of changes) length += 8 + key.length + (value?.length ?? 0);
  const record = Buffer.allocUnsafe(length);
  record.writeUInt32LE(length - headerBytes, 4);
  record.writeBigUInt64LE(epoch, 8);
  record.writeBigUInt64LE(BigInt(sequence), 16);
  let at = headerBytes;
  for (const { key, value } of changes) {
    at = record.writeUInt32LE(key.length, at);
    at = record.writeUInt32LE(value?.length ?? removed, at);
    at += record.write(key, at, "latin1");
    if (value === undefined) continue;
    record.set(value, at);
    at += value.length;
  }
  record.writeUInt32LE(crc32(record.subarray(4)), 0);
  return record;
}

/** The payload of the record that begins here; undefined: none does. */
function recordAt(bytes: Buffer, at: number, epoch: bigint, sequence: number): Buffer | undefined {
  if (at + headerBytes > bytes.length) return undefined;
  const end = at + headerBytes + bytes.readUInt32LE(at + 4);
  const isNext = bytes.readBigUInt64LE(at + 8) === epoch && bytes.readBigUInt64LE(at + 16) === BigInt(sequence);
  if (!isNext || end > bytes.length) return undefined;
  return crc32(bytes.subarray(at + 4, end)) === bytes.readUInt32LE(at)
    ? bytes.subarray(at + headerBytes, end)
    : undefined;
}

function decodeChanges(payload: Buffer): KeyChange[] {
  const changes: KeyChange[] = [];
  for (let at = 0; at < payload.length; ) {
    const [keyLength, valueLength] = [payload.readUInt32LE(at), payload.readUInt32LE(at + 4)];
    const keyEnd = at + 8 + keyLength;
    const key = payload.toString("latin1", at + 8, keyEnd);
    at = valueLength === removed ? keyEnd : keyEnd + valueLength;
    changes.push({ key, value: valueLength === removed ? undefined : payload.subarray(keyEnd, at) });
  }
  return changes;
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
