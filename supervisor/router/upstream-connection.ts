import { clientPreface, defaultFrameBytes, defaultWindowBytes, errorCodes } from "#proto/http2/constants.ts";
import { ConnectionError } from "#proto/http2/protocol-error.ts";
import { AnswerReader, type AnswerHead } from "./answer-head.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { Connection } from "./connection.ts";
import type { HeaderBlock } from "./header-assembly.ts";
import { ResetPacer } from "./reset-pacer.ts";
import { mayReceive } from "./stream-states.ts";
import { Stream, type StreamUser } from "./stream.ts";
import type { Transport } from "./transport.ts";

/** The call of a stream toward a package. */
export interface AnswerUser extends StreamUser {
  /** An answer's headers or trailers. */
  onAnswer(stream: Stream, head: AnswerHead, endStream: boolean): void;
  /** The package says that it never began with this stream; it is closed. */
  onRefused(stream: Stream): void;
}

/** Whom a connection to a package serves. */
export interface UpstreamOwner {
  /** Number of the generation. */
  readonly number: number;
  /** The connection may take more streams than before. */
  onCapacity(connection: UpstreamConnection): void;
  /** Streams that a connection may have before its SETTINGS came. */
  assumedStreams: number;
  /** It breaks under these streams, which have not been told yet. */
  onBreaking(streams: readonly Stream[]): void;
  onGone(connection: UpstreamConnection, reason: string): void;
}

interface UpstreamStream extends Stream {
  readonly user: AnswerUser;
}

/** A connection to one generation of a package; we are its HTTP/2 client. */
export class UpstreamConnection extends Connection {
  readonly #owner: UpstreamOwner;
  readonly #answers = new AnswerReader();
  readonly #resets: ResetPacer;
  #nextId = 1;
  #full = false;
  /** It was to end: by GOAWAY, or because its generation, its stream ids or its resets are over. */
  retiring = false;

  constructor(transport: Transport, context: ConnectionContext, owner: UpstreamOwner) {
    super(transport, context);
    this.#owner = owner;
    this.#resets = new ResetPacer(context.clock, (streamId, code) => this.writeReset(streamId, code));
    this.writer.raw(clientPreface);
    // Without a dynamic table answers can be relayed as they are.
    this.writer.settings({
      headerTableBytes: 0,
      enablePush: false,
      initialWindowBytes: context.limits.firstWindowBytes,
      maxHeaderListBytes: context.limits.headerListBytes,
      ...(context.limits.frameBytes > defaultFrameBytes && { maxFrameBytes: context.limits.frameBytes }),
    });
    this.writer.windowUpdate(0, context.limits.connectionWindowBytes - defaultWindowBytes);
    this.outbox.written();
    transport.start(this);
  }

  /** Whether a stream can be opened now, its HEADERS going to the kernel at the end of this turn. */
  get hasCapacity(): boolean {
    const limit = this.settingsReceived ? this.peer.maxConcurrentStreams : this.#owner.assumedStreams;
    const can = this.state === "open" && this.streams.size < limit && !this.outbox.blocked;
    if (!can) this.#full = true;
    return can;
  }

  /** Number of the generation it goes to. */
  get generation(): number {
    return this.#owner.number;
  }

  /** Whether the package has said anything. */
  get heard(): boolean {
    return this.settingsReceived;
  }

  /** Opens a stream; only while `hasCapacity`. */
  open(user: AnswerUser, block: Buffer, endStream: boolean): Stream {
    const stream = new Stream(this, this.#nextId, user);
    this.#nextId += 2;
    this.streams.add(stream);
    stream.sendsBefore = this.outbox.sends;
    stream.sendHeaders(block, endStream);
    if (this.#nextId > this.limits.lastStreamId) this.#drain();
    return stream;
  }

  /** Whether the first byte of that stream's HEADERS was given to the kernel. */
  handedOver(stream: Stream): boolean {
    return this.outbox.sends > stream.sendsBefore;
  }

  /** Takes no more streams and ends with the last one. */
  retire(): void {
    this.#drain();
    if (this.streams.size === 0) this.fail(errorCodes.noError, "");
  }

  /** One that may not be reset now goes on unseen, and new streams on another connection. */
  override abandon(stream: Stream, code: number): void {
    this.guard.crossed();
    if (this.peer.unpacedResets) this.writeReset(stream.id, code);
    else if (!this.#resets.reset(stream.id, code)) this.#drain();
  }

  override onWritable(): void {
    super.onWritable();
    this.#offer();
  }

  protected override onBlock(block: HeaderBlock): void {
    const head = this.#answers.read(block.bytes, block.start, block.end);
    const stream = this.streams.get(block.streamId) as UpstreamStream | undefined;
    if (stream === undefined) {
      if (!this.wasOpened(block.streamId))
        throw new ConnectionError(errorCodes.protocolError, "HEADERS on an idle stream");
      return this.countLate(block.streamId);
    }
    this.guard.useful();
    if (!mayReceive(stream.state)) return this.breakStream(stream, errorCodes.streamClosed);
    if (head.malformed) return this.breakStream(stream, errorCodes.protocolError);
    if (head.contentLength >= 0) stream.declaredBytes = head.contentLength;
    if (block.endStream && !stream.fitsDeclared(0, true)) return this.breakStream(stream, errorCodes.protocolError);
    if (block.endStream) stream.change("receive-end");
    stream.user.onAnswer(stream, head, block.endStream);
  }

  protected override onGoaway(lastStreamId: number, code: number): void {
    this.#drain();
    for (const stream of this.streams.all() as UpstreamStream[]) {
      if (stream.id <= lastStreamId) continue;
      stream.change("reset");
      stream.user.onRefused(stream);
    }
    if (this.streams.size === 0) this.fail(errorCodes.noError, `GOAWAY ${code}`);
    else this.#owner.onCapacity(this);
  }

  protected override onEnded(reason: string): void {
    if (this.streams.size > 0) this.#owner.onBreaking(this.streams.all());
    super.onEnded(reason);
  }

  protected override isBeingReset(streamId: number): boolean {
    return this.#resets.holds(streamId);
  }

  protected override onGone(reason: string): void {
    this.#resets.stop();
    this.#owner.onGone(this, reason);
  }

  protected override onForgotten(_stream: Stream): void {
    if (this.state === "draining" && this.streams.size === 0) this.fail(errorCodes.noError, "");
    else if (this.#full) this.#offer();
  }

  protected override onSettings(): void {
    this.#owner.assumedStreams = Math.min(this.limits.streamsBeforeSettings, this.peer.maxConcurrentStreams);
    this.#offer();
  }

  protected override wasOpened(streamId: number): boolean {
    return streamId % 2 === 1 && streamId < this.#nextId;
  }

  #drain(): void {
    this.retiring = true;
    this.change("drain");
  }

  #offer(): void {
    if (!this.#full || this.closed) return;
    this.#full = false;
    this.#owner.onCapacity(this);
  }
}
