import { latin1Of } from "#proto/http2/latin1.ts";
import {
  clientPreface,
  defaultFrameBytes,
  defaultWindowBytes,
  errorCodes,
  maxStreamId,
} from "#proto/http2/constants.ts";
import { HpackDecoder } from "#proto/http2/hpack-decoder.ts";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { ConnectionError, StreamError } from "#proto/http2/protocol-error.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import type { Timer } from "../clock.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { Connection } from "./connection.ts";
import type { HeaderBlock } from "./header-assembly.ts";
import { requestTrailers, RequestHead } from "./request-head.ts";
import { Stream, type StreamUser } from "./stream.ts";
import { mayReceive } from "./stream-states.ts";
import type { Transport } from "./transport.ts";
import { httpRefusalBlock, refusalBlock } from "./refusal.ts";
import type { Caller } from "./routing.ts";

/** The call of a client's stream. */
export interface RequestUser extends StreamUser {
  /** The request ended with trailers. */
  onRequestTrailers(block: Buffer): void;
}

/** Whom a client's connection serves. */
export interface ClientOwner {
  /** A request began; the answer takes the stream's events. `connect` gives the stream to the call. */
  onRequest(connection: ClientConnection, streamId: number, head: RequestHead, endStream: boolean): void;
  onGone(connection: ClientConnection, reason: string): void;
}

const cachedHeads = 128;
const cachedBlockBytes = 1024;
const tableBytes = 4096;
/** Sent with the first GOAWAY: its answer says that the client has read that. */
const goawayPing = Buffer.from("goodbye!", "latin1");
/** How long that answer may take; then the last stream is named without it. */
const goawayMs = 1000;
/** Calls that a connection may have however many there are. */
const servedCalls = 64;
/** A call reset earlier than this after its start counts as rapid. */
const rapidResetMs = 1000;

/** A client's connection, of the main socket or of a package's host socket; we are its HTTP/2 server. */
export class ClientConnection extends Connection {
  readonly caller: Caller;
  readonly #owner: ClientOwner;
  readonly #decoder = new HpackDecoder(tableBytes);
  readonly #heads = new Map<string, RequestHead>();
  /** Decoder state that `#heads` belong to. */
  #headsAt = 0;
  readonly #tail: Buffer;
  #prefaceBytes = 0;
  /** Highest stream that was or will be answered. */
  #lastStreamId = 0;
  /** Highest stream that the client began, refused ones after GOAWAY included. */
  #begunStreamId = 0;
  #timer: Timer | undefined;
  #goawayTimer: Timer | undefined;
  #idleSinceMs: number;
  /** Highest stream when it was last asked about. */
  #seenStreamId = 0;

  constructor(transport: Transport, context: ConnectionContext, owner: ClientOwner, caller: Caller) {
    super(transport, context);
    this.caller = caller;
    this.#owner = owner;
    this.#idleSinceMs = context.now();
    this.#tail = encodeHeaders([[metadataKeys.caller, caller.label]]);
    this.writer.settings({
      maxConcurrentStreams: context.limits.streamsPerConnection,
      initialWindowBytes: context.limits.firstWindowBytes,
      maxHeaderListBytes: context.limits.headerListBytes,
      ...(context.limits.frameBytes > defaultFrameBytes && { maxFrameBytes: context.limits.frameBytes }),
    });
    this.writer.windowUpdate(0, context.limits.connectionWindowBytes - defaultWindowBytes);
    this.outbox.written();
    this.#timer = context.clock.setTimer(() => this.destroy("no preface in time"), context.limits.prefaceMs);
    transport.start(this);
  }

  /** Opens our half of the client's stream for `user`; `declaredBytes` as the stream's. */
  connect(streamId: number, user: RequestUser, endStream: boolean, nowMs: number, declaredBytes: number): Stream {
    const stream = new Stream(this, streamId, user);
    stream.openedMs = nowMs;
    if (endStream) stream.state = "half-closed-remote";
    stream.declaredBytes = declaredBytes;
    this.streams.add(stream);
    this.context.openCalls++;
    return stream;
  }

  /** Since when it has had no call, as far as those who ask now and then can tell. */
  idleSince(nowMs: number): number {
    if (this.streams.size > 0 || this.#seenStreamId !== this.#begunStreamId) this.#idleSinceMs = nowMs;
    this.#seenStreamId = this.#begunStreamId;
    return this.#idleSinceMs;
  }

  /**
   * Ends with its last stream, in the two steps of RFC 9113 section 6.8: GOAWAY first names no last stream, so that calls
   * that cross it are taken, and does once the client has answered a PING behind it.
   */
  drain(): void {
    if (!this.change("announce")) return;
    this.writer.goaway(maxStreamId, errorCodes.noError, "");
    this.writer.ping(goawayPing, 0, false);
    this.outbox.written();
    this.#goawayTimer = this.context.clock.setTimer(() => this.#nameLast(), goawayMs);
  }

  /** GOAWAY: streams so far are answered, new ones refused. */
  #nameLast(): void {
    this.context.clock.clearTimer(this.#goawayTimer);
    if (!this.change("drain")) return;
    this.writer.goaway(this.#lastStreamId, errorCodes.noError, "");
    this.outbox.written();
    this.#endIfIdle();
  }

  protected override onPingAck(bytes: Buffer, start: number): void {
    if (this.state === "leaving" && goawayPing.equals(bytes.subarray(start, start + goawayPing.length)))
      this.#nameLast();
    else super.onPingAck(bytes, start);
  }

  override onBytes(bytes: Buffer, length: number): void {
    const start = this.#prefaceBytes < clientPreface.length ? this.#readPreface(bytes, length) : 0;
    this.readBytes(bytes, start, length);
  }

  protected override onBlock(block: HeaderBlock): void {
    const known = this.streams.get(block.streamId);
    if (known !== undefined) return this.#onTrailers(known, block);
    const head = this.#read(block);
    if (block.streamId % 2 === 0 || block.streamId <= this.#begunStreamId) return this.#onLateHeaders(block.streamId);
    this.#begunStreamId = block.streamId;
    if (this.state === "draining") return this.writeReset(block.streamId, errorCodes.refusedStream);
    this.#lastStreamId = block.streamId;
    if (head === "too-large") return this.#refuseTooLarge(block);
    if (head === "malformed" || block.dependsOnItself || (block.endStream && head.contentLength > 0)) {
      this.guard.rapidReset();
      return this.writeReset(block.streamId, errorCodes.protocolError);
    }
    if (this.#hasTooManyCalls) {
      this.guard.empty();
      return this.writeReset(block.streamId, errorCodes.refusedStream);
    }
    this.guard.useful();
    const refusal = this.#refusal(head);
    if (refusal !== undefined) return this.#refuse(block, refusal);
    this.#owner.onRequest(this, block.streamId, head, block.endStream);
  }

  /** Who has few calls is served even when others have all that there may be. */
  get #hasTooManyCalls(): boolean {
    const { streamsPerConnection, openCalls } = this.limits;
    const { size } = this.streams;
    return size >= streamsPerConnection || (this.context.openCalls >= openCalls && size >= servedCalls);
  }

  /** Trailers that crossed our reset are ignored; anything else is no stream of the client's. */
  #onLateHeaders(streamId: number): void {
    if (this.wasReset(streamId)) return this.guard.late();
    throw new ConnectionError(
      streamId % 2 === 0 ? errorCodes.protocolError : errorCodes.streamClosed,
      `HEADERS on stream ${streamId} after ${this.#begunStreamId}`,
    );
  }

  protected override onGoaway(): void {
    // The client opens no more streams; those that are open go on.
    this.change("drain");
    this.#endIfIdle();
  }

  /** Calls begun only to be reset cost us and the package work; calls that had lasted are free to end. */
  protected override countReset(stream: Stream): void {
    if (this.context.clock.monotonic() - stream.openedMs < rapidResetMs) this.guard.rapidReset();
  }

  protected override onSettings(): void {
    this.context.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  protected override onGone(reason: string): void {
    this.context.clock.clearTimer(this.#timer);
    this.context.clock.clearTimer(this.#goawayTimer);
    this.#owner.onGone(this, reason);
  }

  protected override onForgotten(): void {
    this.context.openCalls--;
    if (this.state === "draining") this.#endIfIdle();
  }

  protected override lastPeerStreamId(): number {
    return this.#lastStreamId;
  }

  protected override wasOpened(streamId: number): boolean {
    return streamId % 2 === 1 && streamId <= this.#begunStreamId;
  }

  #readPreface(bytes: Buffer, length: number): number {
    const wanted = Math.min(length, clientPreface.length - this.#prefaceBytes);
    const expected = clientPreface.subarray(this.#prefaceBytes, this.#prefaceBytes + wanted);
    if (!bytes.subarray(0, wanted).equals(expected)) {
      this.fail(errorCodes.protocolError, "this is no HTTP/2 client");
      return length;
    }
    this.#prefaceBytes += wanted;
    return wanted;
  }

  /** The block's request, or why there is none. Throws ConnectionError. */
  #read(block: HeaderBlock): RequestHead | "malformed" | "too-large" {
    const { bytes, start, end } = block;
    const key = end - start > cachedBlockBytes ? "" : latin1Of(bytes, start, end);
    if (key !== "" && this.#headsAt === this.#decoder.mutations) {
      const known = this.#heads.get(key);
      if (known !== undefined) return known;
    }
    const before = this.#decoder.mutations;
    const fields = this.#decoder.decode(bytes, start, end, this.limits.headerListBytes);
    if (this.#isTooLarge) return "too-large";
    const head = this.#describe(fields);
    if (key !== "" && head !== "malformed" && before === this.#decoder.mutations) this.#remember(key, head);
    return head;
  }

  /** The list that was decoded last is longer than is allowed: its fields are not all there. */
  get #isTooLarge(): boolean {
    return this.#decoder.listBytes > this.limits.headerListBytes;
  }

  #describe(fields: ReturnType<HpackDecoder["decode"]>): RequestHead | "malformed" {
    try {
      return new RequestHead(fields, this.#tail);
    } catch (error) {
      if (error instanceof StreamError) return "malformed";
      throw error;
    }
  }

  #remember(key: string, head: RequestHead): void {
    if (this.#headsAt !== this.#decoder.mutations || this.#heads.size >= cachedHeads) this.#heads.clear();
    this.#headsAt = this.#decoder.mutations;
    this.#heads.set(key, head);
  }

  #onTrailers(stream: Stream, block: HeaderBlock): void {
    const fields = this.#decoder.decode(block.bytes, block.start, block.end, this.limits.headerListBytes);
    if (this.#isTooLarge) return this.breakStream(stream, errorCodes.enhanceYourCalm);
    if (!mayReceive(stream.state)) return this.breakStream(stream, errorCodes.streamClosed);
    if (!block.endStream) return this.breakStream(stream, errorCodes.protocolError);
    try {
      const trailers = requestTrailers(fields);
      if (block.dependsOnItself || !stream.fitsDeclared(0, true))
        return this.breakStream(stream, errorCodes.protocolError);
      stream.change("receive-end");
      (stream.user as RequestUser).onRequestTrailers(trailers);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.breakStream(stream, error.code);
    }
  }

  /** An answer at once to what no package shall see. */
  #refusal(head: RequestHead): Buffer | undefined {
    if (head.httpMethod !== "POST") {
      return httpRefusalBlock(405, `http2Server: received a ${head.httpMethod} method which should be POST`);
    }
    if (!head.isGrpc) {
      return httpRefusalBlock(415, `invalid gRPC request content-type ${JSON.stringify(head.contentType)}`);
    }
    return undefined;
  }

  #refuseTooLarge(block: HeaderBlock): void {
    this.guard.empty();
    const { listBytes } = this.#decoder;
    const message = `request metadata of ${listBytes} bytes is over the limit of ${this.limits.headerListBytes}`;
    this.#refuse(block, refusalBlock({ kind: "resource-exhausted", message }));
  }

  #refuse(block: HeaderBlock, answer: Buffer): void {
    this.writeHeaders(block.streamId, answer, true);
    if (!block.endStream) this.writeReset(block.streamId, errorCodes.noError);
  }

  #endIfIdle(): void {
    if (this.streams.size === 0) this.fail(errorCodes.noError, "");
  }
}
