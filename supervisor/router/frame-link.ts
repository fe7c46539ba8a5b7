import { defaultWindowBytes, errorCodes, flags, frameTypes } from "#proto/http2/constants.ts";
import { FrameReader, readUint31, readUint32, type FrameSink } from "#proto/http2/frame-reader.ts";
import type { FrameWriter } from "#proto/http2/frame-writer.ts";
import { ConnectionError } from "#proto/http2/protocol-error.ts";
import { applySettings, defaultSettings, type Settings } from "#proto/http2/settings.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { connectionTransitions, type ConnectionEvent, type ConnectionState } from "./connection-states.ts";
import { FrameGuards } from "./frame-guards.ts";
import type { Limits } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import type { Transport, TransportEvents } from "./transport.ts";
import { TurnBudget } from "./turn-budget.ts";
import { UnreadRest } from "./unread-rest.ts";

const defaultTableBytes = defaultSettings().headerTableBytes;
/** HPACK's dynamic table size update to 0. */
const tableSizeOfNone = Buffer.from([0x20]);

/**
 * What an HTTP/2 connection is apart from its streams: bytes and frames, SETTINGS, PING, GOAWAY, its end. A peer that
 * breaks the protocol ends its connection and nothing else. Owns: the transport.
 */
export abstract class FrameLink implements FrameSink, TransportEvents {
  readonly limits: Limits;
  /** What the peer announced. */
  readonly peer: Settings = { ...defaultSettings(), maxConcurrentStreams: 0 };
  #state: ConnectionState = "open";
  /** What the peer lets us send on all streams together, bytes. */
  sendWindow = defaultWindowBytes;
  protected readonly outbox: Outbox;
  protected readonly writer: FrameWriter;
  protected readonly guard: FrameGuards;
  protected readonly budget: TurnBudget;
  protected settingsReceived = false;
  #tableDropped = false;
  readonly #reader: FrameReader;
  readonly #rest: UnreadRest;

  constructor(transport: Transport, context: ConnectionContext) {
    this.limits = context.limits;
    this.outbox = new Outbox(transport, context, () => this.#tooMuchUnread());
    this.writer = this.outbox.writer;
    this.budget = new TurnBudget(context.flusher, context.now);
    this.guard = new FrameGuards(context.limits, context.now, this.budget);
    this.#reader = new FrameReader(context.limits.frameBytes, context.pool);
    this.#rest = new UnreadRest(transport, context, (bytes, start, end) => this.#readFrames(bytes, start, end));
  }

  /** The peer will accept no streams above `lastStreamId`. */
  protected abstract onGoaway(lastStreamId: number, code: number): void;
  /** The connection has ended; called once, `state` being "closed". */
  protected abstract onEnded(reason: string): void;
  /** The peer's initial window changed by `bytes`. */
  protected abstract onWindowShift(bytes: number): void;
  /** PING that answers another, its eight bytes at `bytes[start]`; throws ConnectionError when there are too many. */
  protected onPingAck(_bytes: Buffer, _start: number): void {
    this.guard.ping();
  }
  /** SETTINGS of the peer took effect. */
  protected onSettings(): void {}

  get state(): ConnectionState {
    return this.#state;
  }

  get closed(): boolean {
    return this.#state === "closed";
  }

  /** Takes an event of the state table; answers whether the state is another one now. */
  protected change(event: ConnectionEvent): boolean {
    const before = this.#state;
    this.#state = connectionTransitions[before][event];
    return this.#state !== before;
  }

  /** No frame is taken now: it is closed, or what came is enough for this turn. */
  get ended(): boolean {
    return this.closed || this.budget.spent;
  }

  onBytes(bytes: Buffer, length: number): void {
    this.readBytes(bytes, 0, length);
  }

  protected readBytes(bytes: Buffer, start: number, end: number): void {
    const at = this.#readFrames(bytes, start, end);
    if (at < end) this.#rest.keep(bytes, at, end);
  }

  /** Answers where it stopped: before `end` when the rest is for the next turn. */
  #readFrames(bytes: Buffer, start: number, end: number): number {
    if (this.closed) return end;
    this.budget.begin();
    try {
      const at = this.#reader.read(bytes, start, end, this);
      return this.closed ? end : at;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.fail(error.code, error.message);
      return end;
    }
  }

  onFrame(type: number, frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case frameTypes.settings:
        return this.#onSettings(frameFlags, streamId, bytes, start, end);
      case frameTypes.ping:
        return this.#onPing(frameFlags, streamId, bytes, start, end);
      case frameTypes.goaway:
        requireConnection(streamId, "GOAWAY");
        requireSize(end - start >= 8, "GOAWAY");
        return this.onGoaway(readUint31(bytes, start), readUint32(bytes, start + 4));
      case frameTypes.pushPromise:
        throw new ConnectionError(errorCodes.protocolError, "PUSH_PROMISE though push is off");
      default:
        this.guard.empty();
    }
  }

  onWritable(): void {
    if (this.closed) return;
    this.outbox.unblocked();
  }

  onEnd(): void {
    this.outbox.destroy();
  }

  onClosed(reason: string): void {
    this.#close(reason === "" ? "connection closed" : reason);
  }

  /** Ends the connection with GOAWAY `code`; its streams are lost. */
  fail(code: number, text: string): void {
    if (this.closed) return;
    this.writer.goaway(this.lastPeerStreamId(), code, text);
    this.outbox.end();
    this.#close(text);
  }

  /** Ends the connection at once. */
  destroy(reason: string): void {
    this.outbox.destroy();
    this.#close(reason);
  }

  /** Highest stream of the peer that was or will be answered. */
  protected lastPeerStreamId(): number {
    return 0;
  }

  writeHeaders(streamId: number, block: Buffer, endStream: boolean): void {
    if (this.closed) return;
    const first = !this.#tableDropped && this.peer.headerTableBytes < defaultTableBytes;
    this.writer.headers(streamId, first ? this.#withTableDropped(block) : block, endStream, this.peer.maxFrameBytes);
    this.outbox.writtenHeaders();
  }

  /** A peer that lowers its table expects to be told of it in the next block, RFC 7541 section 4.2. */
  #withTableDropped(block: Buffer): Buffer {
    this.#tableDropped = true;
    return Buffer.concat([tableSizeOfNone, block]);
  }

  writeData(streamId: number, bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.closed) return;
    this.writer.data(streamId, bytes, start, end, endStream);
    this.guard.sentData();
    this.outbox.written();
  }

  writeReset(streamId: number, code: number): void {
    if (this.closed) return;
    this.writer.rstStream(streamId, code);
    this.outbox.written();
  }

  writeWindowUpdate(streamId: number, increment: number): void {
    if (this.closed) return;
    this.writer.windowUpdate(streamId, increment);
    this.outbox.written();
  }

  #onSettings(frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    requireConnection(streamId, "SETTINGS");
    if ((frameFlags & flags.ack) !== 0) {
      requireSize(start === end, "SETTINGS acknowledgement");
      if (!this.settingsReceived)
        throw new ConnectionError(errorCodes.protocolError, "the first frame is not SETTINGS");
      return;
    }
    if (this.settingsReceived) this.guard.settings();
    else this.peer.maxConcurrentStreams = Number.POSITIVE_INFINITY;
    this.settingsReceived = true;
    const before = this.peer.initialWindowBytes;
    applySettings(this.peer, bytes, start, end);
    this.writer.settingsAck();
    this.outbox.written();
    if (this.peer.initialWindowBytes !== before) this.onWindowShift(this.peer.initialWindowBytes - before);
    this.onSettings();
  }

  #onPing(frameFlags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    requireConnection(streamId, "PING");
    requireSize(end - start === 8, "PING");
    if ((frameFlags & flags.ack) !== 0) return this.onPingAck(bytes, start);
    this.guard.ping();
    this.writer.ping(bytes, start, true);
    this.outbox.writtenPatiently();
  }

  #tooMuchUnread(): void {
    this.destroy(`the peer left ${this.limits.unreadBytes} bytes unread`);
  }

  #close(reason: string): void {
    if (!this.change("end")) return;
    this.#rest.drop();
    this.onEnded(reason);
  }
}

/** Throws ConnectionError for a frame that must be on a stream and is not. */
export function requireStream(streamId: number, what: string): void {
  if (streamId === 0) throw new ConnectionError(errorCodes.protocolError, `${what} on stream 0`);
}

/** Throws ConnectionError for a frame that must not be on a stream and is. */
export function requireConnection(streamId: number, what: string): void {
  if (streamId !== 0) throw new ConnectionError(errorCodes.protocolError, `${what} on stream ${streamId}`);
}

/** Throws ConnectionError for a frame whose size is wrong. */
export function requireSize(right: boolean, what: string): void {
  if (!right) throw new ConnectionError(errorCodes.frameSizeError, `${what} of a wrong size`);
}
