import { errorCodes } from "#proto/http2/constants.ts";
import type { HeaderField } from "#proto/http2/header-field.ts";
import { ReceiveWindow } from "#proto/http2/windows.ts";
import { MessageAssembly } from "./message-assembly.ts";
import type { Session } from "./session.ts";
import { streamWindowBytes } from "./window-sizes.ts";

/** What happens to a stream; each is called from the event loop, never from inside a call to the stream. */
export interface StreamEvents {
  /** Later header blocks: a client's answer headers and trailers. */
  onHeaders(fields: readonly HeaderField[], endStream: boolean): void;
  /** A message or the end of messages waits in `take`. */
  onReadable(): void;
  /** The peer reset the stream, or the connection is gone (`code` undefined). */
  onAborted(code: number | undefined, reason: string): void;
}

interface Outgoing {
  readonly bytes: Buffer;
  at: number;
  readonly endStream: boolean;
  readonly trailers: Buffer | undefined;
}

/** Bytes before each gRPC message: a compression flag and the length. */
const prefixBytes = 5;
/** Gathered bytes after which a sender waits for the turn of the loop to end, so that others get theirs. */
const turnBytes = 64 * 1024;
/** Messages up to this are copied behind their prefix, so that they leave in one frame. */
const joinedLimitBytes = 4096;

/**
 * One HTTP/2 stream that carries gRPC messages. Received messages wait in the stream and hold back its window until
 * they are taken; sent ones wait for the windows of the peer. Owns: its queues.
 */
export class Stream {
  readonly id: number;
  sendWindow: number;
  /** The peer sends no more. */
  remoteEnded = false;
  /** We send no more. */
  localEnded = false;
  /** Messages over this size reset the stream. */
  maxMessageBytes = 16 * 1024 * 1024;
  events: StreamEvents | undefined;
  readonly #session: Session;
  readonly #receive = new ReceiveWindow(streamWindowBytes);
  readonly #assembly = new MessageAssembly();
  readonly #messages: Buffer[] = [];
  readonly #outgoing: Outgoing[] = [];
  #uncreditedBytes = 0;
  #drained: (() => void)[] = [];
  #over = false;
  #faulty = false;

  constructor(session: Session, id: number) {
    this.#session = session;
    this.id = id;
    this.sendWindow = session.peer.initialWindowBytes;
  }

  get over(): boolean {
    return this.#over;
  }

  /** The next message; undefined: none is there (yet). */
  take(): Buffer | undefined {
    const message = this.#messages.shift();
    this.#creditWhenEmpty();
    return message;
  }

  /** Whether a message waits. */
  get readable(): boolean {
    return this.#messages.length > 0;
  }

  sendHeaders(block: Buffer, endStream: boolean): void {
    if (this.#over) return;
    this.#session.writer.headers(this.id, block, endStream, this.#session.peer.maxFrameBytes);
    this.#session.written();
    if (endStream) this.#endLocal();
  }

  /** Queues a message; false: the peer is slow, wait for `drained`. */
  sendMessage(message: Uint8Array): boolean {
    if (this.#over || this.localEnded) return true;
    const small = message.length <= joinedLimitBytes;
    const head = Buffer.allocUnsafe(prefixBytes + (small ? message.length : 0));
    head[0] = 0;
    head.writeUInt32BE(message.length, 1);
    if (small) head.set(message, prefixBytes);
    this.#queue({ bytes: head, at: 0, endStream: false, trailers: undefined });
    if (!small) {
      const bytes = Buffer.isBuffer(message)
        ? message
        : Buffer.from(message.buffer, message.byteOffset, message.length);
      this.#queue({ bytes, at: 0, endStream: false, trailers: undefined });
    }
    return this.#outgoing.length === 0 && this.#session.writer.length < turnBytes;
  }

  /** Ends our side after what is queued, with `trailers` if given. */
  end(trailers?: Buffer): void {
    if (this.#over || this.localEnded) return;
    this.#queue({ bytes: empty, at: 0, endStream: true, trailers });
  }

  /** Resolves when what was sent has been taken, or the stream is over. */
  drained(): Promise<void> {
    if (this.#over) return Promise.resolve();
    if (this.#outgoing.length === 0) return this.#session.flushed();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  reset(code: number): void {
    if (this.#over) return;
    this.#session.writer.rstStream(this.id, code);
    this.#session.written();
    this.#finish();
  }

  /** Sends what windows and socket take; true: nothing is left. */
  pump(): boolean {
    const session = this.#session;
    while (this.#outgoing.length > 0 && !this.#over) {
      const next = this.#outgoing[0];
      if (next === undefined) break;
      if (!this.#sendSome(next)) return false;
      this.#outgoing.shift();
    }
    session.written();
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
    return true;
  }

  onHeaders(fields: readonly HeaderField[], endStream: boolean): void {
    if (endStream) this.receivedEnd();
    this.events?.onHeaders(fields, endStream);
  }

  /** @param flowBytes what counts for flow control, padding included. */
  onData(bytes: Buffer, start: number, end: number, flowBytes: number, endStream: boolean): void {
    if (this.#faulty || this.#over) return;
    if (!this.#receive.receive(flowBytes)) return this.reset(errorCodes.flowControlError);
    this.#uncreditedBytes += flowBytes;
    const fault = this.#assembly.add(bytes, start, end, this.maxMessageBytes, (message) =>
      this.#messages.push(message),
    );
    if (fault !== undefined) {
      this.#faulty = true; // its owner answers and ends it
      return this.events?.onAborted(errorCodes.protocolError, fault);
    }
    if (endStream) this.receivedEnd();
    this.#creditWhenEmpty();
    if (this.#messages.length > 0 || endStream) this.events?.onReadable();
  }

  /** The peer ended its side. */
  receivedEnd(): void {
    this.remoteEnded = true;
    if (this.localEnded) this.#finish();
  }

  onReset(code: number): void {
    if (this.#over) return;
    this.#finish();
    this.events?.onAborted(code, `the peer reset the call (code ${code})`);
  }

  onClosed(reason: string): void {
    if (this.#over) return;
    this.#finish();
    this.events?.onAborted(undefined, reason);
  }

  #queue(outgoing: Outgoing): void {
    this.#outgoing.push(outgoing);
    if (this.#outgoing.length === 1 && !this.pump()) this.#session.wait(this);
  }

  /** Sends DATA of one entry; true: it is done. */
  #sendSome(entry: Outgoing): boolean {
    const session = this.#session;
    while (entry.at < entry.bytes.length) {
      if (!session.writable) return false;
      const room = Math.min(session.sendWindow, this.sendWindow, session.peer.maxFrameBytes);
      if (room <= 0) return false;
      const size = Math.min(room, entry.bytes.length - entry.at);
      session.writer.data(this.id, entry.bytes, entry.at, entry.at + size, false);
      entry.at += size;
      session.sendWindow -= size;
      this.sendWindow -= size;
      session.written();
    }
    if (!entry.endStream) return true;
    if (entry.trailers === undefined) session.writer.data(this.id, empty, 0, 0, true);
    else session.writer.headers(this.id, entry.trailers, true, session.peer.maxFrameBytes);
    session.written();
    this.#endLocal();
    return true;
  }

  #endLocal(): void {
    this.localEnded = true;
    if (this.remoteEnded) this.#finish();
  }

  /** Whole messages hold the window back until they are taken; one that is still arriving must be able to arrive. */
  #creditWhenEmpty(): void {
    if (this.#messages.length > 0 || this.#uncreditedBytes === 0 || this.remoteEnded || this.#over) return;
    const increment = this.#receive.credit(this.#uncreditedBytes);
    this.#uncreditedBytes = 0;
    if (increment === 0) return;
    this.#session.writer.windowUpdate(this.id, increment);
    this.#session.written();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#session.forget(this);
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }
}

const empty = Buffer.alloc(0);
