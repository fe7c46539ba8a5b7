import { errorCodes, flags } from "#proto/http2/constants.ts";
import { readUint31 } from "#proto/http2/frame-reader.ts";
import { ConnectionError } from "#proto/http2/protocol-error.ts";
import type { Limits } from "./limits.ts";

/** A whole header block: `bytes[start..end)`, valid until the next frame. */
export interface HeaderBlock {
  streamId: number;
  bytes: Buffer;
  start: number;
  end: number;
  endStream: boolean;
  /** Its priority names the stream itself, which RFC 7540 section 5.3.1 forbids. */
  dependsOnItself: boolean;
}

/** Puts HEADERS and their CONTINUATION frames together. Throws ConnectionError on what RFC 9113 section 6.10 forbids. */
export class HeaderAssembly {
  readonly #limits: Limits;
  readonly #block: HeaderBlock = {
    streamId: 0,
    bytes: Buffer.alloc(0),
    start: 0,
    end: 0,
    endStream: false,
    dependsOnItself: false,
  };
  #parts: Buffer[] = [];
  #partBytes = 0;
  #open = false;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** A block has begun and not ended: only its CONTINUATION may follow. */
  get open(): boolean {
    return this.#open;
  }

  /** Takes a HEADERS payload; answers the block if it is whole. */
  headers(streamId: number, frameFlags: number, bytes: Buffer, start: number, end: number): HeaderBlock | undefined {
    const block = this.#block;
    const body = unpad(frameFlags, bytes, start, end);
    const skipped = (frameFlags & flags.priority) === 0 ? 0 : 5;
    if (body.end - body.start < skipped) throw new ConnectionError(errorCodes.frameSizeError, "HEADERS too short");
    block.streamId = streamId;
    block.endStream = (frameFlags & flags.endStream) !== 0;
    block.dependsOnItself = skipped > 0 && readUint31(bytes, body.start) === streamId;
    block.bytes = bytes;
    block.start = body.start + skipped;
    block.end = body.end;
    if ((frameFlags & flags.endHeaders) !== 0) return block;
    this.#open = true;
    this.#parts = [];
    this.#partBytes = 0;
    this.#keep(bytes, block.start, block.end);
    return undefined;
  }

  /** Takes a CONTINUATION payload; answers the block if it is whole. */
  continuation(streamId: number, frameFlags: number, bytes: Buffer, start: number, end: number) {
    if (!this.#open || streamId !== this.#block.streamId) {
      throw new ConnectionError(errorCodes.protocolError, "CONTINUATION without its HEADERS");
    }
    this.#keep(bytes, start, end);
    if ((frameFlags & flags.endHeaders) === 0) return undefined;
    this.#open = false;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#block.bytes = whole;
    this.#block.start = 0;
    this.#block.end = whole.length;
    return this.#block;
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#parts.push(Buffer.from(bytes.subarray(start, end)));
    this.#partBytes += end - start;
    if (this.#partBytes > this.#limits.headerBlockBytes || this.#parts.length > this.#limits.continuations + 1) {
      throw new ConnectionError(
        errorCodes.enhanceYourCalm,
        `header block of more than ${this.#limits.headerBlockBytes} bytes or ${this.#limits.continuations} CONTINUATION frames`,
      );
    }
  }
}

const span = { start: 0, end: 0 };

/** Where the payload of a padded frame lies; the answer is valid until the next call. Throws ConnectionError. */
export function unpad(frameFlags: number, bytes: Buffer, start: number, end: number): Readonly<typeof span> {
  span.start = start;
  span.end = end;
  if ((frameFlags & flags.padded) === 0) return span;
  const padding = bytes[start] ?? 0;
  if (start === end) throw new ConnectionError(errorCodes.frameSizeError, "padded frame without its pad length");
  if (padding >= end - start) throw new ConnectionError(errorCodes.protocolError, "padding longer than its frame");
  span.start = start + 1;
  span.end = end - padding;
  return span;
}
