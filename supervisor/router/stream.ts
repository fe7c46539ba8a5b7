import { ReceiveWindow } from "#proto/http2/windows.ts";
import type { Connection } from "./connection.ts";
import { HeldData } from "./held-data.ts";
import { mayReceive, maySend, streamTransitions, type StreamEvent, type StreamState } from "./stream-states.ts";

/** The call a stream belongs to. */
export interface StreamUser {
  /** DATA without its padding; valid only during the call. */
  onData(stream: Stream, bytes: Buffer, start: number, end: number, endStream: boolean): void;
  /** The peer reset the stream, or broke the protocol on it; it is closed. */
  onReset(stream: Stream, code: number): void;
  /** The connection ended under the stream; it is closed. */
  onLost(stream: Stream, reason: string): void;
  /** All of our side has been written, end included. */
  onSent(stream: Stream): void;
}

/** More than any window: no allowance set. */
export const unlimitedBytes = Number.MAX_SAFE_INTEGER;
/**
 * One HTTP/2 stream with what is held for it: DATA that its window, its connection's window or its socket does not
 * take yet. Owns: the held bytes.
 */
export class Stream {
  readonly connection: Connection;
  readonly id: number;
  readonly user: StreamUser;
  state: StreamState = "open";
  /** What the peer lets us send, bytes; below zero after it shrank its initial window. */
  sendWindow: number;
  /** What may be sent apart from windows, bytes: a package with redirects gets no more before it answers. */
  allowance: number = unlimitedBytes;
  /** The stream that these bytes come from; its sender is credited when they leave here. */
  source: Stream | undefined;
  /** First bytes that were credited when they were sent before, in an earlier try. */
  creditedBytes = 0;
  /** When a client opened it, as `performance.now()` counts. */
  openedMs = 0;
  /** DATA sent so far, bytes. */
  sentBytes = 0;
  /** Writes its connection had begun before this stream's HEADERS. */
  sendsBefore = 0;
  /** Body bytes still to come by the peer's `content-length`; -1: it said none. */
  declaredBytes = -1;
  /** Listed with its connection as having something to send. */
  queued = false;
  readonly #receive: ReceiveWindow;
  #held: HeldData | undefined;
  #ending = false;
  #trailers: Buffer | undefined;

  constructor(connection: Connection, id: number, user: StreamUser) {
    this.connection = connection;
    this.id = id;
    this.user = user;
    this.sendWindow = connection.peer.initialWindowBytes;
    this.#receive = new ReceiveWindow(connection.limits.firstWindowBytes);
  }

  /** Sends HEADERS at once. */
  sendHeaders(block: Buffer, endStream: boolean): void {
    this.connection.writeHeaders(this.id, block, endStream);
    if (endStream) this.#sentEnd();
  }

  /** Bytes held here. */
  get heldBytes(): number {
    return this.#held?.bytes ?? 0;
  }

  /** Sends DATA now, or holds a copy. */
  send(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    const length = end - start;
    const { connection } = this;
    if (this.heldBytes === 0 && (length === 0 || this.#takesNow(length))) {
      if (length > 0 || endStream) connection.writeData(this.id, bytes, start, end, endStream);
      if (length > 0) this.#account(length);
      if (endStream) this.#sentEnd();
      return;
    }
    this.#ending ||= endStream;
    if (length === 0) return;
    this.#held ??= new HeldData(connection.pool);
    this.#held.add(bytes, start, end);
    connection.held.add(this, length);
    connection.enqueue(this);
  }

  /** Ends our side with trailers, after what is held. */
  sendTrailers(block: Buffer): void {
    if (this.heldBytes === 0) {
      this.sendHeaders(block, true);
    } else {
      this.#trailers = block;
      this.#ending = true;
    }
  }

  /** Sends one frame of what is held; answers whether another could go right now. */
  pump(): boolean {
    const held = this.#held;
    const chunk = held?.first;
    if (held === undefined || chunk === undefined || !maySend(this.state)) return false;
    const length = Math.min(chunk.end - chunk.start, this.#windowBytes());
    if (length <= 0) return false;
    const end = held.bytes === length && this.#ending && this.#trailers === undefined;
    this.connection.writeData(this.id, chunk.bytes, chunk.start, chunk.start + length, end);
    held.take(length);
    this.connection.held.remove(this, length);
    this.#account(length);
    if (held.bytes > 0) return this.#windowBytes() > 0;
    if (end) this.#sentEnd();
    else if (this.#trailers !== undefined) this.sendHeaders(this.#trailers, true);
    return false;
  }

  /** Whether something is held that windows and allowance (not the connection's) let go. */
  get ready(): boolean {
    return this.heldBytes > 0 && this.sendWindow > 0 && this.allowance > 0;
  }

  /** Counts arrived bytes; false: the peer overran the window. */
  receive(bytes: number): boolean {
    return this.#receive.receive(bytes);
  }

  /** Counts body bytes against what was declared; false: more came, or fewer by the end (RFC 9113 section 8.1.1). */
  fitsDeclared(bytes: number, ended: boolean): boolean {
    if (this.declaredBytes < 0) return true;
    if (bytes > this.declaredBytes) return false;
    this.declaredBytes -= bytes;
    return !ended || this.declaredBytes === 0;
  }

  /** The far side took `bytes`: the peer may send as many more, told in steps. */
  credit(bytes: number): void {
    const increment = this.#receive.credit(bytes);
    if (increment === 0 || !mayReceive(this.state)) return;
    this.connection.writeWindowUpdate(this.id, increment);
    const { sizeBytes } = this.#receive;
    this.#receive.resize(sizeBytes + this.connection.held.growthOf(sizeBytes, this.connection.limits));
  }

  /** Resets the stream with `code`; nothing is held any more, and the user hears no more of it. */
  reset(code: number): void {
    if (this.state === "closed") return;
    this.connection.abandon(this, code);
    this.change("reset");
  }

  /** Takes an event of the state table; a closed stream leaves its connection. */
  change(event: StreamEvent): void {
    if (this.state === "closed") return;
    this.state = streamTransitions[this.state][event];
    if (this.state !== "closed") return;
    this.connection.held.returnGrowth(this.#receive.sizeBytes - this.connection.limits.firstWindowBytes);
    this.#drop();
    this.connection.forget(this);
  }

  #sentEnd(): void {
    this.change("send-end");
    this.user.onSent(this);
  }

  #takesNow(length: number): boolean {
    return length <= this.#windowBytes() && this.connection.takesData;
  }

  #windowBytes(): number {
    return Math.min(this.sendWindow, this.connection.sendWindow, this.allowance, this.connection.peer.maxFrameBytes);
  }

  #account(length: number): void {
    this.sentBytes += length;
    this.sendWindow -= length;
    this.connection.sendWindow -= length;
    if (this.allowance !== unlimitedBytes) this.allowance -= length;
    const again = Math.min(length, this.creditedBytes);
    this.creditedBytes -= again;
    if (length > again) this.source?.credit(length - again);
  }

  #drop(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    if (held.bytes > 0) this.connection.held.remove(this, held.bytes);
    held.clear();
  }
}
