import { flags, frameHeaderBytes, frameTypes, settingIds } from "./constants.ts";
import type { Settings } from "./settings.ts";

const smallCopyBytes = 48;

type Allocate = (bytes: number, wished: number) => Buffer;

/** Writes frames one after another into a buffer that grows; the owner takes the bytes and resets it. */
export class FrameWriter {
  /** Owned by the writer until `replace`. */
  bytes: Buffer;
  /** How many of `bytes` are written. */
  length = 0;

  readonly #allocate: Allocate;
  readonly #release: (buffer: Buffer) => void;

  /**
   * @param allocate gives buffers of at least `bytes`, of `wished` if the next growth shall come later; contents do
   * not matter.
   * @param release takes buffers that the writer has outgrown.
   */
  constructor(
    allocate: Allocate = (bytes, wished) => Buffer.allocUnsafeSlow(Math.max(bytes, wished, 4096)),
    release: (buffer: Buffer) => void = () => {},
  ) {
    this.#allocate = allocate;
    this.#release = release;
    this.bytes = Buffer.alloc(0);
  }

  /** Leaves the written buffer to the caller and goes on in another, empty one. */
  replace(next: Buffer): void {
    this.bytes = next;
    this.length = 0;
  }

  /** DATA with `source[start..end)`. */
  data(streamId: number, source: Buffer, start: number, end: number, endStream: boolean): void {
    this.#header(end - start, frameTypes.data, endStream ? flags.endStream : 0, streamId);
    this.#copy(source, start, end);
  }

  /** HEADERS, and CONTINUATION where `block` and `tail` together are longer than `maxFrameBytes`. */
  headers(streamId: number, block: Buffer, endStream: boolean, maxFrameBytes: number, start = 0): void {
    const end = block.length;
    const firstEnd = Math.min(end, start + maxFrameBytes);
    const last = firstEnd === end ? flags.endHeaders : 0;
    this.#header(firstEnd - start, frameTypes.headers, (endStream ? flags.endStream : 0) | last, streamId);
    this.#copy(block, start, firstEnd);
    for (let at = firstEnd; at < end; at += maxFrameBytes) {
      const next = Math.min(end, at + maxFrameBytes);
      this.#header(next - at, frameTypes.continuation, next === end ? flags.endHeaders : 0, streamId);
      this.#copy(block, at, next);
    }
  }

  rstStream(streamId: number, code: number): void {
    this.#header(4, frameTypes.rstStream, 0, streamId);
    this.#uint32(code);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#header(4, frameTypes.windowUpdate, 0, streamId);
    this.#uint32(increment);
  }

  /** SETTINGS with the named parameters only. */
  settings(settings: Partial<Settings>): void {
    const pairs = settingPairs(settings);
    this.#header(pairs.length * 6, frameTypes.settings, 0, 0);
    for (const [id, value] of pairs) {
      this.bytes[this.length++] = id >> 8;
      this.bytes[this.length++] = id;
      this.#uint32(value);
    }
  }

  settingsAck(): void {
    this.#header(0, frameTypes.settings, flags.ack, 0);
  }

  /** PING with eight bytes of `source`. */
  ping(source: Buffer, start: number, ack: boolean): void {
    this.#header(8, frameTypes.ping, ack ? flags.ack : 0, 0);
    this.#copy(source, start, start + 8);
  }

  goaway(lastStreamId: number, code: number, text: string): void {
    const debug = Buffer.from(text, "latin1");
    this.#header(8 + debug.length, frameTypes.goaway, 0, 0);
    this.#uint32(lastStreamId);
    this.#uint32(code);
    this.#copy(debug, 0, debug.length);
  }

  /** Bytes as they are: the client's preface. */
  raw(source: Buffer): void {
    this.#reserve(source.length);
    this.#copy(source, 0, source.length);
  }

  #header(length: number, type: number, frameFlags: number, streamId: number): void {
    this.#reserve(frameHeaderBytes + length);
    const { bytes } = this;
    const at = this.length;
    bytes[at] = length >> 16;
    bytes[at + 1] = length >> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = frameFlags;
    bytes[at + 5] = streamId >> 24;
    bytes[at + 6] = streamId >> 16;
    bytes[at + 7] = streamId >> 8;
    bytes[at + 8] = streamId;
    this.length = at + frameHeaderBytes;
  }

  #uint32(value: number): void {
    const { bytes } = this;
    const at = this.length;
    bytes[at] = value >> 24;
    bytes[at + 1] = value >> 16;
    bytes[at + 2] = value >> 8;
    bytes[at + 3] = value;
    this.length = at + 4;
  }

  #copy(source: Buffer, start: number, end: number): void {
    const { bytes } = this;
    let at = this.length;
    this.length = at + end - start;
    // A loop beats the call into native code for short runs.
    if (end - start > smallCopyBytes) source.copy(bytes, at, start, end);
    else for (let from = start; from < end; from++) bytes[at++] = source[from] ?? 0;
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const larger = this.#allocate(needed, this.bytes.length * 2);
    this.bytes.copy(larger, 0, 0, this.length);
    this.#release(this.bytes);
    this.bytes = larger;
  }
}

function settingPairs(settings: Partial<Settings>): [number, number][] {
  const pairs: [number, number][] = [];
  const add = (id: number, value: number | boolean | undefined): void => {
    if (value !== undefined) pairs.push([id, Number(value)]);
  };
  add(settingIds.headerTableSize, settings.headerTableBytes);
  add(settingIds.enablePush, settings.enablePush);
  add(settingIds.maxConcurrentStreams, settings.maxConcurrentStreams);
  add(settingIds.initialWindowSize, settings.initialWindowBytes);
  add(settingIds.maxFrameSize, settings.maxFrameBytes);
  add(settingIds.maxHeaderListSize, settings.maxHeaderListBytes);
  add(settingIds.unpacedResets, settings.unpacedResets);
  return pairs;
}
