import {
  clientPreface,
  defaultFrameBytes,
  defaultWindowBytes,
  errorCodes,
  flags,
  frameTypes,
} from "#proto/http2/constants.ts";
import { FrameReader, readUint31, readUint32 } from "#proto/http2/frame-reader.ts";
import { FrameWriter } from "#proto/http2/frame-writer.ts";
import type { HeaderField } from "#proto/http2/header-field.ts";
import { HpackDecoder } from "#proto/http2/hpack-decoder.ts";
import { ConnectionError } from "#proto/http2/protocol-error.ts";
import { applySettings, defaultSettings, type Settings } from "#proto/http2/settings.ts";
import { growWindow, ReceiveWindow } from "#proto/http2/windows.ts";
import type { ReadingSocket } from "./socket.ts";
import { Stream } from "./stream.ts";
import { connectionWindowBytes, streamWindowBytes } from "./window-sizes.ts";

/** Bytes of one header list, and CONTINUATION frames it may come in. */
const headerListBytes = 64 * 1024;
const continuationLimit = 16;
/** Gathered bytes that are written before the turn of the loop ends. */
const burstBytes = 256 * 1024;
/** A write buffer that is kept for the next write. */
const spareLimitBytes = 512 * 1024;
const none = Buffer.alloc(0);
/** Frames that ask for an answer (PING, SETTINGS) a peer may have unanswered in our buffer, in bytes. */
const unreadLimitBytes = 1024 * 1024;

export interface SessionEvents {
  /** The first headers of a stream the peer opened. Servers only. */
  onStream(stream: Stream, headers: readonly HeaderField[], endStream: boolean): void;
  /** The peer takes no streams above `lastStreamId`. */
  onGoaway(lastStreamId: number): void;
  /** The connection is over; every stream has been told. */
  onClosed(reason: string): void;
}

/**
 * One HTTP/2 connection, either side (RFC 9113), for gRPC between processes of one host: frames in and out, both
 * flow-control windows, one write a turn of the loop. Owns: the socket and the streams on it.
 */
export class Session {
  readonly peer: Settings = defaultSettings();
  readonly writer = new FrameWriter((bytes, wished) => this.#allocate(Math.max(bytes, wished)));
  readonly streams = new Map<number, Stream>();
  /** What the connection still takes from us. */
  sendWindow = defaultWindowBytes;
  /** The peer said GOAWAY, or we did. */
  leaving = false;
  closed = false;
  ended = false;
  readonly #reading: ReadingSocket;
  readonly #socket: ReadingSocket["socket"];
  readonly #role: "client" | "server";
  readonly #events: SessionEvents;
  readonly #reader = new FrameReader(defaultFrameBytes * 4);
  readonly #decoder = new HpackDecoder(4096);
  readonly #receive = new ReceiveWindow(connectionWindowBytes);
  readonly #flush = (): void => this.#send();
  readonly #waiting = new Set<Stream>();
  readonly #onWritten = (): void => {
    // An earlier write's callback may come when a later one has only begun.
    if (!this.#blocked || this.#socket.writableLength > 0) return;
    this.#blocked = false;
    this.#reuse(this.#lent);
    this.#lent = undefined;
    this.#send();
    this.pump();
  };
  #preface: number;
  #scheduled = false;
  #blocked = false;
  /** For the next write to gather in. */
  #spare: Buffer | undefined;
  /** The kernel has not taken all of it. */
  #lent: Buffer | undefined;
  #flushes: (() => void)[] = [];
  #block: { streamId: number; endStream: boolean; parts: Buffer[]; bytes: number } | undefined;
  #lastPeerStream = 0;
  #nextStreamId = 1;
  #sentBelow = 1;

  constructor(reading: ReadingSocket, role: "client" | "server", events: SessionEvents) {
    const { socket } = reading;
    this.#reading = reading;
    this.#socket = socket;
    this.#role = role;
    this.#events = events;
    this.#preface = role === "server" ? clientPreface.length : 0;
    if (role === "client") this.writer.raw(clientPreface);
    this.writer.settings({
      enablePush: false,
      maxConcurrentStreams: 1_000_000,
      initialWindowBytes: streamWindowBytes,
      maxFrameBytes: defaultFrameBytes * 4,
      maxHeaderListBytes: headerListBytes,
      ...(role === "server" && { unpacedResets: true }),
    });
    this.writer.windowUpdate(0, connectionWindowBytes - defaultWindowBytes);
    reading.onBytes = (bytes, length) => this.#onBytes(bytes, length);
    socket.on("error", (error) => this.#close(error.message));
    socket.on("close", () => this.#close("the connection was closed"));
    socket.resume();
    this.written();
  }

  /** A new stream of ours. Clients only; undefined when the ids or the peer's limit are used up. */
  open(): Stream | undefined {
    if (this.leaving || this.closed || this.#nextStreamId > 0x7ffffffd) return undefined;
    if (this.streams.size >= this.peer.maxConcurrentStreams) return undefined;
    const stream = new Stream(this, this.#nextStreamId);
    this.#nextStreamId += 2;
    this.streams.set(stream.id, stream);
    return stream;
  }

  /** Frames were put into `writer`: they go out at the end of this turn. */
  written(): void {
    if (this.writer.length >= burstBytes && !this.#blocked) this.#send();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#flush);
    }
  }

  /** Resolves when what is gathered now has been given to the socket. */
  flushed(): Promise<void> {
    if (this.closed || this.writer.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#flushes.push(resolve));
  }

  /** Whether more DATA may be put into `writer` now. */
  get writable(): boolean {
    return !this.#blocked && this.writer.length < burstBytes;
  }

  /** The stream has DATA that the windows or the socket do not take yet. */
  wait(stream: Stream): void {
    this.#waiting.add(stream);
  }

  /** Lets waiting streams go on, each in turn. */
  pump(): void {
    for (const stream of this.#waiting) {
      if (!this.writable || this.sendWindow <= 0) return;
      if (stream.pump()) this.#waiting.delete(stream);
    }
  }

  /** Tells the peer to open no more streams; those it opened before are served. */
  goaway(): void {
    if (this.leaving || this.closed) return;
    this.leaving = true;
    this.writer.goaway(this.#lastPeerStream, errorCodes.noError, "");
    this.written();
  }

  forget(stream: Stream): void {
    this.streams.delete(stream.id);
    this.#waiting.delete(stream);
  }

  destroy(reason: string): void {
    this.#send();
    this.#socket.destroySoon();
    this.#close(reason);
  }

  onFrame(type: number, frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.#block !== undefined && type !== frameTypes.continuation) {
      throw new ConnectionError(errorCodes.protocolError, "a header block was interrupted");
    }
    switch (type) {
      case frameTypes.data:
        return this.#onDataFrame(frameFlags, streamId, bytes, start, end);
      case frameTypes.headers:
        return this.#onHeaders(frameFlags, streamId, bytes, start, end);
      case frameTypes.continuation:
        return this.#onContinuation(frameFlags, streamId, bytes, start, end);
      case frameTypes.rstStream:
        exact(type, end - start, 4);
        this.streams.get(streamId)?.onReset(readUint32(bytes, start));
        return;
      case frameTypes.settings:
        return this.#onSettings(frameFlags, bytes, start, end);
      case frameTypes.ping:
        exact(type, end - start, 8);
        if ((frameFlags & flags.ack) === 0) {
          this.writer.ping(bytes, start, true);
          this.#answered();
        }
        return;
      case frameTypes.goaway:
        this.leaving = true;
        this.#events.onGoaway(readUint31(bytes, start));
        return;
      case frameTypes.windowUpdate:
        exact(type, end - start, 4);
        return this.#onWindowUpdate(streamId, readUint31(bytes, start));
      case frameTypes.pushPromise:
        throw new ConnectionError(errorCodes.protocolError, "PUSH_PROMISE is not allowed");
      default:
        return; // PRIORITY, and what we do not know
    }
  }

  #onBytes(chunk: Buffer, length: number): void {
    if (this.ended) return;
    let at = 0;
    try {
      if (this.#preface > 0) {
        const from = clientPreface.length - this.#preface;
        const taken = Math.min(this.#preface, length);
        if (!chunk.subarray(0, taken).equals(clientPreface.subarray(from, from + taken))) {
          throw new ConnectionError(errorCodes.protocolError, "no HTTP/2 preface");
        }
        this.#preface -= taken;
        at = taken;
      }
      if (at < length) this.#reader.read(chunk, at, length, this);
    } catch (error) {
      const code = error instanceof ConnectionError ? error.code : errorCodes.internalError;
      const text = error instanceof Error ? error.message : String(error);
      this.writer.goaway(this.#lastPeerStream, code, text);
      this.ended = true;
      this.destroy(text);
    }
  }

  #onDataFrame(frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (!this.#receive.receive(length))
      throw new ConnectionError(errorCodes.flowControlError, "connection window overrun");
    const credit = this.#receive.credit(length);
    if (credit > 0) {
      this.writer.windowUpdate(0, credit);
      this.written();
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (streamId === 0 || streamId >= this.#nextUnopened())
        throw new ConnectionError(errorCodes.protocolError, "DATA on an idle stream");
      return;
    }
    const body = unpad(frameFlags, bytes, start, end);
    stream.onData(bytes, body.start, body.end, length, (frameFlags & flags.endStream) !== 0);
  }

  #onHeaders(frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const body = unpad(frameFlags, bytes, start, end);
    const from = body.start + ((frameFlags & flags.priority) === 0 ? 0 : 5);
    if (from > body.end) throw new ConnectionError(errorCodes.frameSizeError, "HEADERS too short");
    const endStream = (frameFlags & flags.endStream) !== 0;
    if ((frameFlags & flags.endHeaders) !== 0) return this.#onBlock(streamId, endStream, bytes, from, body.end);
    this.#block = { streamId, endStream, parts: [Buffer.from(bytes.subarray(from, body.end))], bytes: body.end - from };
  }

  #onContinuation(frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (block === undefined || block.streamId !== streamId) {
      throw new ConnectionError(errorCodes.protocolError, "CONTINUATION without its HEADERS");
    }
    block.parts.push(Buffer.from(bytes.subarray(start, end)));
    block.bytes += end - start;
    if (block.bytes > headerListBytes || block.parts.length > continuationLimit) {
      throw new ConnectionError(errorCodes.enhanceYourCalm, `header block of more than ${headerListBytes} bytes`);
    }
    if ((frameFlags & flags.endHeaders) === 0) return;
    this.#block = undefined;
    const whole = Buffer.concat(block.parts);
    this.#onBlock(streamId, block.endStream, whole, 0, whole.length);
  }

  #onBlock(streamId: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const fields = this.#decoder.decode(bytes, start, end);
    const known = this.streams.get(streamId);
    if (known !== undefined) return known.onHeaders(fields, endStream);
    if (this.#role === "client" || streamId <= this.#lastPeerStream) return; // a stream that is over
    if (streamId % 2 === 0) throw new ConnectionError(errorCodes.protocolError, `stream ${streamId} has an even id`);
    this.#lastPeerStream = streamId;
    if (this.leaving) {
      this.writer.rstStream(streamId, errorCodes.refusedStream);
      return this.written();
    }
    const stream = new Stream(this, streamId);
    if (endStream) stream.receivedEnd();
    this.streams.set(streamId, stream);
    this.#events.onStream(stream, fields, endStream);
  }

  #onSettings(frameFlags: number, bytes: Buffer, start: number, end: number): void {
    if ((frameFlags & flags.ack) !== 0) return;
    const before = this.peer.initialWindowBytes;
    applySettings(this.peer, bytes, start, end);
    const change = this.peer.initialWindowBytes - before;
    if (change !== 0) for (const stream of this.streams.values()) stream.sendWindow += change;
    this.writer.settingsAck();
    this.#answered();
    this.pump();
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    if (streamId === 0) {
      const grown = growWindow(this.sendWindow, increment);
      if (grown === undefined || increment === 0)
        throw new ConnectionError(errorCodes.flowControlError, "bad WINDOW_UPDATE");
      this.sendWindow = grown;
    } else {
      const stream = this.streams.get(streamId);
      if (stream === undefined) return;
      const grown = growWindow(stream.sendWindow, increment);
      if (grown === undefined || increment === 0) return stream.reset(errorCodes.flowControlError);
      stream.sendWindow = grown;
    }
    this.pump();
  }

  /** An answer that the peer can ask for again and again: who never reads them is cut off. */
  #answered(): void {
    if (this.writer.length > unreadLimitBytes)
      throw new ConnectionError(errorCodes.enhanceYourCalm, "answers are not read");
    this.written();
  }

  #nextUnopened(): number {
    return this.#role === "client" ? this.#nextStreamId : this.#lastPeerStream + 1;
  }

  #send(): void {
    this.#scheduled = false;
    const { writer } = this;
    if (writer.length === 0 || this.#blocked || this.closed) return;
    const { bytes, length } = writer;
    this.#sentBelow = this.#nextStreamId;
    writer.replace(none);
    this.#blocked = !this.#reading.write(bytes, length, this.#onWritten);
    if (this.#blocked) this.#lent = bytes;
    else this.#reuse(bytes);
    this.#settleFlushes();
    if (!this.#blocked && this.#waiting.size > 0) this.pump();
  }

  #settleFlushes(): void {
    const flushes = this.#flushes;
    if (flushes.length === 0) return;
    this.#flushes = [];
    for (const resolve of flushes) resolve();
  }

  /** Takes back a buffer that was written; the larger one is kept. */
  #reuse(bytes: Buffer | undefined): void {
    if (bytes === undefined || bytes.length > spareLimitBytes) return;
    if (bytes.length > (this.#spare?.length ?? 0)) this.#spare = bytes;
  }

  /** Gathering begins in the buffer of the last write where that is free again. */
  #allocate(bytes: number): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined && spare.length >= bytes) return spare;
    return Buffer.allocUnsafeSlow(Math.max(bytes, 4096));
  }

  #close(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.leaving = true;
    // What never left our buffer the peer cannot have seen.
    for (const stream of this.streams.values()) {
      if (this.#role === "client" && stream.id >= this.#sentBelow) stream.onReset(errorCodes.refusedStream);
      else stream.onClosed(reason);
    }
    this.streams.clear();
    this.#waiting.clear();
    this.#settleFlushes();
    this.#events.onClosed(reason);
  }
}

function exact(type: number, length: number, wanted: number): void {
  if (length !== wanted)
    throw new ConnectionError(errorCodes.frameSizeError, `frame of type ${type} with ${length} bytes`);
}

function unpad(frameFlags: number, bytes: Buffer, start: number, end: number): { start: number; end: number } {
  if ((frameFlags & flags.padded) === 0) return { start, end };
  const padding = bytes[start] ?? 0;
  if (start === end || padding >= end - start)
    throw new ConnectionError(errorCodes.protocolError, "padding longer than its frame");
  return { start: start + 1, end: end - padding };
}
