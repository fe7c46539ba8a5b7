import { defaultFrameBytes, flags, frameTypes } from "#proto/http2/constants.ts";
import { FrameReader } from "#proto/http2/frame-reader.ts";
import type { HeaderField } from "#proto/http2/header-field.ts";
import { HpackDecoder } from "#proto/http2/hpack-decoder.ts";
import { marksIn } from "./marks.ts";

/** What a strict reader passes on. */
export interface StrictEvents {
  /** A whole header block arrived. */
  onHeaders?(streamId: number, fields: readonly HeaderField[], endStream: boolean): void;
  onData?(streamId: number, payload: Buffer, endStream: boolean): void;
  onReset?(streamId: number, code: number): void;
  /** SETTINGS (not their acknowledgement), PING, WINDOW_UPDATE or GOAWAY. */
  onOther?(type: number, frameFlags: number, streamId: number, payload: Buffer): void;
}

type Half = "answered" | "over";

/** Streams that a connection may have before the first that ended are forgotten. */
const rememberedStreams = 10_000;

/**
 * Reads what the router sends as the strictest peer would: `broken` is called on any frame that a router may not send,
 * whatever it was sent before. Which streams may appear, or be reset, is `mayAppear`'s word.
 */
export class StrictReader {
  readonly #frames = new FrameReader(1 << 24);
  readonly #decoder = new HpackDecoder(4096);
  readonly #halves = new Map<number, Half>();
  readonly #events: StrictEvents;
  readonly #mayAppear: (streamId: number, reset: boolean) => boolean;
  readonly #broken: (what: string) => void;
  /** Largest frame that the router was allowed, bytes. */
  largestFrame = defaultFrameBytes;
  #first = true;
  #block: { readonly streamId: number; readonly endStream: boolean; readonly parts: Buffer[] } | undefined;
  #skip: number;

  /** `skip`: bytes of a preface that come first. */
  constructor(
    events: StrictEvents,
    mayAppear: (streamId: number, reset: boolean) => boolean,
    broken: (what: string) => void,
    skip: number = 0,
  ) {
    this.#events = events;
    this.#mayAppear = mayAppear;
    this.#broken = broken;
    this.#skip = skip;
  }

  read(chunk: Buffer): void {
    const start = Math.min(this.#skip, chunk.length);
    this.#skip -= start;
    try {
      this.#frames.read(chunk, start, chunk.length, {
        ended: false,
        onFrame: (type, frameFlags, streamId, bytes, from, to) =>
          this.#onFrame(type, frameFlags, streamId, Buffer.from(bytes.subarray(from, to))),
      });
    } catch (error) {
      this.#broken(`what cannot be read: ${String(error)}`);
    }
  }

  #onFrame(type: number, frameFlags: number, streamId: number, payload: Buffer): void {
    if (this.#first && type !== frameTypes.settings) this.#broken(`a frame of type ${type} before SETTINGS`);
    this.#first = false;
    if (payload.length > this.largestFrame) this.#broken(`a frame of ${payload.length} bytes`);
    if (this.#block !== undefined && (type !== frameTypes.continuation || streamId !== this.#block.streamId)) {
      this.#broken(`a frame of type ${type} inside a header block`);
    }
    switch (type) {
      case frameTypes.headers:
        return this.#onHeaders(frameFlags, streamId, payload);
      case frameTypes.continuation:
        this.#block?.parts.push(payload);
        return (frameFlags & flags.endHeaders) === 0 ? undefined : this.#onBlock();
      case frameTypes.data:
        return this.#onData(frameFlags, streamId, payload);
      case frameTypes.rstStream:
        if (!this.#mayAppear(streamId, true)) this.#broken(`RST_STREAM on stream ${streamId}, which was never begun`);
        this.#end(streamId);
        return this.#events.onReset?.(streamId, payload.readUInt32BE(0));
      case frameTypes.pushPromise:
        return this.#broken("PUSH_PROMISE");
      default:
        this.#events.onOther?.(type, frameFlags, streamId, payload);
    }
  }

  #onHeaders(frameFlags: number, streamId: number, payload: Buffer): void {
    if (!this.#mayAppear(streamId, false)) this.#broken(`HEADERS on stream ${streamId}, which was never begun`);
    if (this.#halves.get(streamId) === "over") this.#broken(`HEADERS on stream ${streamId} after its end`);
    if ((frameFlags & (flags.padded | flags.priority)) !== 0) this.#broken("HEADERS with padding or priority");
    this.#block = { streamId, endStream: (frameFlags & flags.endStream) !== 0, parts: [payload] };
    if ((frameFlags & flags.endHeaders) !== 0) this.#onBlock();
  }

  #onBlock(): void {
    const block = this.#block;
    if (block === undefined) return this.#broken("CONTINUATION without HEADERS");
    this.#block = undefined;
    const bytes = Buffer.concat(block.parts);
    const fields = this.#decoder.decode(bytes, 0, bytes.length);
    if (block.endStream) this.#end(block.streamId);
    else this.#halves.set(block.streamId, "answered");
    this.#events.onHeaders?.(block.streamId, fields, block.endStream);
  }

  #onData(frameFlags: number, streamId: number, payload: Buffer): void {
    const half = this.#halves.get(streamId);
    if (half !== "answered") this.#broken(`DATA on stream ${streamId}, which is ${half ?? "not begun"}`);
    const endStream = (frameFlags & flags.endStream) !== 0;
    if (endStream) this.#end(streamId);
    this.#events.onData?.(streamId, payload, endStream);
  }

  #end(streamId: number): void {
    this.#halves.delete(streamId);
    this.#halves.set(streamId, "over");
    if (this.#halves.size <= rememberedStreams) return;
    const oldest = this.#halves.entries().next().value;
    if (oldest?.[1] === "over") this.#halves.delete(oldest[0]);
  }
}

/** Owners of the marks in header values. */
export function marksInFields(fields: readonly HeaderField[]): number[] {
  return fields.flatMap((field) => marksIn(Buffer.from(field.value, "latin1")));
}
