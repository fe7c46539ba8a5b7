import { FrameWriter } from "#proto/http2/frame-writer.ts";
import type { BufferPool } from "./buffer-pool.ts";
import type { ConnectionContext } from "./connection-context.ts";
import type { Limits } from "./limits.ts";
import type { Stream } from "./stream.ts";
import type { Transport } from "./transport.ts";
import type { Flushable, Patient, TurnFlusher } from "./turn-flusher.ts";

const empty = Buffer.alloc(0);
/** Small frames of many calls go out after so many bytes, so that the far side begins while the turn goes on. */
const callsBytes = { least: 4096, most: 8192 };

/**
 * What goes out on one connection: frames gather in the writer and leave in one write a turn. While the socket takes
 * nothing, streams keep their DATA and wait in turn; only small frames gather. Owns: the transport's sending side.
 */
export class Outbox implements Flushable, Patient {
  readonly writer: FrameWriter;
  /** The socket took a write only in part; nothing may be written until it says so. */
  blocked = false;
  /** Writes begun: what was put into `writer` before one has been given to the kernel, unless that took nothing. */
  sends = 0;
  readonly #transport: Transport;
  readonly #pool: BufferPool;
  readonly #flusher: TurnFlusher;
  readonly #limits: Limits;
  readonly #onOverflow: () => void;
  #listed = false;
  #patient = false;
  #ended = false;
  #waiting: Stream[] = [];
  #pumping = false;
  #lent: Buffer | undefined;

  constructor(transport: Transport, context: ConnectionContext, onOverflow: () => void) {
    const { pool } = context;
    this.writer = new FrameWriter(
      (bytes) => pool.take(bytes),
      (buffer) => pool.give(buffer),
    );
    this.#pool = pool;
    this.#transport = transport;
    this.#flusher = context.flusher;
    this.#limits = context.limits;
    this.#onOverflow = onOverflow;
  }

  /** Whether streams wait for their turn; others must then not overtake them. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Something was written into `writer`: it goes out at the end of this turn, or now if it is much. */
  written(): void {
    if (this.#listed) {
      if (this.writer.length >= this.#limits.burstBytes) this.#onMuch();
      return;
    }
    this.#listed = true;
    this.#flusher.add(this);
  }

  /**
   * Something was written that may wait a little for others to go out with: a write of its own would cost us and the
   * peer as much as a call.
   */
  writtenPatiently(): void {
    if (this.#listed || this.writer.length >= this.#limits.burstBytes) return this.written();
    if (this.#patient) return;
    this.#patient = true;
    this.#flusher.soon(this);
  }

  flushSoon(): void {
    this.#patient = false;
    if (this.writer.length > 0) this.written();
  }

  /** HEADERS were written: a call began or ended. */
  writtenHeaders(): void {
    this.written();
    const { length } = this.writer;
    if (length >= callsBytes.least && length < callsBytes.most && !this.blocked) this.#send();
  }

  flush(): void {
    this.#listed = false;
    this.#send();
    if (!this.blocked && this.#waiting.length > 0) this.pump();
  }

  /** Has `stream` pumped in its turn, at once if `now` and the socket allow. */
  enqueue(stream: Stream, now: boolean): void {
    if (!stream.queued) {
      stream.queued = true;
      this.#waiting.push(stream);
    }
    if (now) this.pump();
  }

  /** Lets waiting streams send, a frame each in turn, while socket and windows take it. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#waiting.length > 0 && !this.blocked && this.writer.length < this.#limits.burstBytes) {
      if (!this.#pumpOnce()) break;
    }
    this.#pumping = false;
  }

  /** The socket took what was kept. */
  unblocked(): void {
    this.blocked = false;
    if (this.#lent !== undefined) this.#pool.give(this.#lent);
    this.#lent = undefined;
    if (this.writer.length > 0) this.#send();
    this.pump();
  }

  /** Writes what is there and closes. */
  end(): void {
    if (this.#ended) return;
    this.#send();
    this.#ended = true;
    this.#transport.end();
  }

  destroy(): void {
    this.#ended = true;
    this.#transport.destroy();
  }

  /** One round: every waiting stream sends a frame. Answers whether any could. */
  #pumpOnce(): boolean {
    const round = this.#waiting;
    this.#waiting = [];
    let sent = false;
    for (const [at, stream] of round.entries()) {
      if (this.blocked || this.writer.length >= this.#limits.burstBytes) {
        this.#waiting.push(...round.slice(at));
        return sent;
      }
      const before = this.writer.length;
      const more = stream.pump();
      sent ||= this.writer.length !== before;
      if (more || stream.ready) this.#waiting.push(stream);
      else stream.queued = false;
    }
    return sent;
  }

  #onMuch(): void {
    if (!this.blocked) this.#send();
    else if (this.writer.length > this.#limits.unreadBytes) this.#onOverflow();
  }

  #send(): void {
    const { writer } = this;
    if (this.blocked || this.#ended || writer.length === 0) return;
    const { bytes, length } = writer;
    writer.replace(empty);
    this.blocked = !this.#transport.write(bytes, length);
    if (!this.#transport.refused) this.sends++;
    if (this.blocked) this.#lent = bytes;
    else this.#pool.give(bytes);
  }
}
