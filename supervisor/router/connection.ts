import { errorCodes, flags, frameTypes } from "#proto/http2/constants.ts";
import { readUint31, readUint32 } from "#proto/http2/frame-reader.ts";
import { ConnectionError } from "#proto/http2/protocol-error.ts";
import { growWindow, ReceiveWindow } from "#proto/http2/windows.ts";
import type { Timer } from "../clock.ts";
import type { BufferPool } from "./buffer-pool.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { FrameLink, requireSize, requireStream } from "./frame-link.ts";
import { HeaderAssembly, unpad, type HeaderBlock } from "./header-assembly.ts";
import type { HeldBytes } from "./held-bytes.ts";
import { mayReceive } from "./stream-states.ts";
import { StreamTable } from "./stream-table.ts";
import type { Stream } from "./stream.ts";
import type { Transport } from "./transport.ts";

/** Peers send on streams that were reset for as long as the reset travels. */
const rememberedResets = 256;
/** A window opened by less lets a frame out that costs more than it carries. */
const crumbBytes = 64;

/**
 * One HTTP/2 connection with its streams, the same for both roles; a role adds what header blocks mean.
 * Owns: its streams.
 */
export abstract class Connection extends FrameLink {
  readonly held: HeldBytes;
  readonly pool: BufferPool;
  readonly streams = new StreamTable();
  protected readonly context: ConnectionContext;
  readonly #assembly: HeaderAssembly;
  readonly #receive: ReceiveWindow;
  /** Streams that we reset last, oldest first. */
  readonly #resetIds = new Set<number>();
  #headersTimer: Timer | undefined;

  constructor(transport: Transport, context: ConnectionContext) {
    super(transport, context);
    this.context = context;
    this.held = context.held;
    this.pool = context.pool;
    this.#assembly = new HeaderAssembly(context.limits);
    this.#receive = new ReceiveWindow(context.limits.connectionWindowBytes);
  }

  /** A whole header block arrived; it must be decoded even when its stream is gone. */
  protected abstract onBlock(block: HeaderBlock): void;
  /** After the last stream has been told. */
  protected abstract onGone(reason: string): void;
  /** An id that is in no map: whether it was in use once (else the peer broke the protocol). */
  protected abstract wasOpened(streamId: number): boolean;
  /** A stream has left `streams`. */
  protected onForgotten(_stream: Stream): void {}
  /** The peer resets `stream`, or has us reset it; throws ConnectionError when it does so too often. */
  protected countReset(_stream: Stream): void {}

  /** Whether DATA goes straight out: the socket takes what is written. */
  get takesData(): boolean {
    return !this.outbox.blocked && !this.outbox.hasWaiting;
  }

  override onFrame(
    type: number,
    frameFlags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    this.budget.charge();
    if (this.#assembly.open && type !== frameTypes.continuation) {
      throw new ConnectionError(errorCodes.protocolError, "another frame inside a header block");
    }
    if (!this.settingsReceived && type !== frameTypes.settings) {
      throw new ConnectionError(errorCodes.protocolError, "the first frame is not SETTINGS");
    }
    switch (type) {
      case frameTypes.data:
        return this.#onData(frameFlags, streamId, bytes, start, end);
      case frameTypes.headers:
        requireStream(streamId, "HEADERS");
        return this.#onBlock(this.#assembly.headers(streamId, frameFlags, bytes, start, end));
      case frameTypes.continuation:
        this.guard.continuation();
        return this.#onBlock(this.#assembly.continuation(streamId, frameFlags, bytes, start, end));
      case frameTypes.windowUpdate:
        return this.#onWindowUpdate(streamId, bytes, start, end);
      case frameTypes.rstStream:
        return this.#onReset(streamId, bytes, start, end);
      case frameTypes.priority:
        return this.#onPriority(streamId, bytes, start, end);
      default:
        super.onFrame(type, frameFlags, streamId, bytes, start, end);
    }
  }

  /** Has `stream` pumped when socket and windows allow. */
  enqueue(stream: Stream): void {
    if (stream.ready) this.outbox.enqueue(stream, this.sendWindow > 0);
  }

  forget(stream: Stream): void {
    if (this.streams.delete(stream)) this.onForgotten(stream);
  }

  /** A block that is not whole is waited for, but not for ever: until then the peer may send nothing else. */
  #onBlock(block: HeaderBlock | undefined): void {
    if (block === undefined) {
      const { headersMs } = this.limits;
      const late = (): void => this.fail(errorCodes.enhanceYourCalm, `no end of a header block in ${headersMs} ms`);
      this.#headersTimer ??= this.context.clock.setTimer(late, headersMs);
      return;
    }
    if (this.#headersTimer !== undefined) this.#stopHeadersTimer();
    this.onBlock(block);
  }

  #stopHeadersTimer(): void {
    this.context.clock.clearTimer(this.#headersTimer);
    this.#headersTimer = undefined;
  }

  #onData(frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    requireStream(streamId, "DATA");
    const length = end - start;
    if (!this.#receive.receive(length)) {
      throw new ConnectionError(errorCodes.flowControlError, "DATA beyond the connection's window");
    }
    const increment = this.#receive.credit(length);
    if (increment > 0) this.writeWindowUpdate(0, increment);
    const endStream = (frameFlags & flags.endStream) !== 0;
    const stream = this.streams.get(streamId);
    if (stream === undefined || !mayReceive(stream.state)) {
      if (length > 0) this.guard.useful();
      return this.#onLateData(streamId, stream);
    }
    if (!stream.receive(length)) return this.breakStream(stream, errorCodes.flowControlError);
    const body = unpad(frameFlags, bytes, start, end);
    const { start: from, end: to } = body;
    if (to > from || endStream) this.guard.useful();
    else this.guard.empty();
    if (to - from < length) stream.credit(length - (to - from));
    if (!stream.fitsDeclared(to - from, endStream)) return this.breakStream(stream, errorCodes.protocolError);
    if (endStream) stream.change("receive-end");
    stream.user.onData(stream, bytes, from, to, endStream);
  }

  #onLateData(streamId: number, stream: Stream | undefined): void {
    if (stream !== undefined) return this.breakStream(stream, errorCodes.streamClosed);
    if (!this.wasOpened(streamId)) throw new ConnectionError(errorCodes.protocolError, "DATA on an idle stream");
    if (this.isBeingReset(streamId)) return;
    this.guard.late();
    if (!this.wasReset(streamId)) this.writeReset(streamId, errorCodes.streamClosed);
  }

  override writeReset(streamId: number, code: number): void {
    this.#resetIds.add(streamId);
    if (this.#resetIds.size > rememberedResets) {
      for (const oldest of this.#resetIds) {
        this.#resetIds.delete(oldest);
        break;
      }
    }
    super.writeReset(streamId, code);
  }

  /** We reset that stream lately: what its peer had sent before it knew is to be ignored, RFC 9113 section 5.1. */
  protected wasReset(streamId: number): boolean {
    return this.#resetIds.has(streamId);
  }

  /** Its reset has been decided on and is still to be sent: its peer cannot know. */
  protected isBeingReset(_streamId: number): boolean {
    return false;
  }

  /** Counts a frame on a stream that is gone. Throws ConnectionError when there are too many. */
  protected countLate(streamId: number): void {
    if (!this.isBeingReset(streamId)) this.guard.late();
  }

  /** Resets a stream that its peer may still be sending on. */
  abandon(stream: Stream, code: number): void {
    this.writeReset(stream.id, code);
    this.guard.crossed();
  }

  /** The peer broke the protocol on one stream: it is reset, its user told. */
  protected breakStream(stream: Stream, code: number): void {
    this.countReset(stream);
    stream.reset(code);
    stream.user.onReset(stream, code);
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    requireSize(end - start === 4, "WINDOW_UPDATE");
    const increment = readUint31(bytes, start);
    if (streamId === 0) return this.#growConnection(increment);
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (!this.wasOpened(streamId))
        throw new ConnectionError(errorCodes.protocolError, "WINDOW_UPDATE on an idle stream");
      return this.countLate(streamId);
    }
    const grown = increment === 0 ? undefined : growWindow(stream.sendWindow, increment);
    if (grown === undefined) {
      return this.breakStream(stream, increment === 0 ? errorCodes.protocolError : errorCodes.flowControlError);
    }
    stream.sendWindow = grown;
    if (increment < crumbBytes && stream.heldBytes > 0) this.guard.crumb();
    this.enqueue(stream);
  }

  #growConnection(increment: number): void {
    if (increment === 0) throw new ConnectionError(errorCodes.protocolError, "WINDOW_UPDATE of 0");
    const grown = growWindow(this.sendWindow, increment);
    if (grown === undefined) throw new ConnectionError(errorCodes.flowControlError, "window beyond 2^31-1");
    this.sendWindow = grown;
    if (increment < crumbBytes && this.outbox.hasWaiting) this.guard.crumb();
    this.outbox.pump();
  }

  #onReset(streamId: number, bytes: Buffer, start: number, end: number): void {
    requireStream(streamId, "RST_STREAM");
    requireSize(end - start === 4, "RST_STREAM");
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (!this.wasOpened(streamId))
        throw new ConnectionError(errorCodes.protocolError, "RST_STREAM on an idle stream");
      return this.countLate(streamId);
    }
    this.countReset(stream);
    stream.change("reset");
    stream.user.onReset(stream, readUint32(bytes, start));
  }

  /** A changed initial window moves every open stream's window, RFC 9113 section 6.9.2. */
  protected override onWindowShift(bytes: number): void {
    for (const stream of this.streams.all()) {
      const grown = growWindow(stream.sendWindow, bytes);
      if (grown === undefined) throw new ConnectionError(errorCodes.flowControlError, "window beyond 2^31-1");
      stream.sendWindow = grown;
      this.enqueue(stream);
    }
  }

  #onPriority(streamId: number, bytes: Buffer, start: number, end: number): void {
    requireStream(streamId, "PRIORITY");
    this.guard.empty();
    const stream = this.streams.get(streamId);
    if (end - start !== 5) {
      if (stream === undefined) throw new ConnectionError(errorCodes.frameSizeError, "PRIORITY of a wrong size");
      this.breakStream(stream, errorCodes.frameSizeError);
    } else if (readUint31(bytes, start) === streamId) {
      // An idle stream cannot be reset.
      if (stream === undefined) throw new ConnectionError(errorCodes.protocolError, "a stream that depends on itself");
      this.breakStream(stream, errorCodes.protocolError);
    }
  }

  protected override onEnded(reason: string): void {
    this.#stopHeadersTimer();
    this.context.farewell.begin(this.streams.all(), reason, () => this.onGone(reason));
  }
}
