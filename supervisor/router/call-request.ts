import type { BufferPool } from "./buffer-pool.ts";
import { formatTimeout } from "./grpc-timeout.ts";
import { HeldData } from "./held-data.ts";
import type { RequestHead } from "./request-head.ts";
import type { Stream } from "./stream.ts";

type Header = readonly [name: string, value: string];

/** A deadline that shrank by less is passed on as it came, milliseconds. */
const unnoticedMs = 1;

/**
 * The request of a call: its head, and its beginning for as long as it may have to be sent later or once more.
 * Owns: the kept bytes.
 */
export class CallRequest {
  readonly head: RequestHead;
  readonly startedMs: number;
  /** As `performance.now()` counts; undefined: none. */
  readonly deadlineMs: number | undefined;
  /** All of it has arrived. */
  ended: boolean;
  /** Bytes of its DATA that the client has been credited for, in whatever try. */
  creditedBytes = 0;
  #kept = true;
  #trailers: Buffer | undefined;
  #added: readonly Header[] | undefined;
  #held: HeldData | undefined;
  readonly #pool: BufferPool;

  constructor(head: RequestHead, ended: boolean, nowMs: number, pool: BufferPool) {
    this.head = head;
    this.ended = ended;
    this.startedMs = nowMs;
    this.deadlineMs = head.timeoutMs === undefined ? undefined : nowMs + head.timeoutMs;
    this.#pool = pool;
  }

  /** Kept, bytes. */
  get bytes(): number {
    return this.#held?.bytes ?? 0;
  }

  /** Whether everything that arrived so far is still here. */
  get kept(): boolean {
    return this.#kept;
  }

  /** DATA arrived; it is copied while the request is kept. */
  add(source: Buffer, start: number, end: number): void {
    if (!this.#kept || start === end) return;
    (this.#held ??= new HeldData(this.#pool)).add(source, start, end);
  }

  /** The request ended with trailers. */
  end(trailers: Buffer): void {
    this.ended = true;
    this.#trailers = trailers;
  }

  /** It is to go elsewhere, with headers more. */
  redirect(added: readonly Header[]): void {
    this.#added = added;
  }

  get redirected(): boolean {
    return this.#added !== undefined;
  }

  /** Whether HEADERS are all there is to send. */
  get headersOnly(): boolean {
    return this.ended && this.bytes === 0 && this.#trailers === undefined;
  }

  /** The header block: as it came, or with what is left of the deadline and with headers added. */
  block(nowMs: number): Buffer {
    const left = this.deadlineMs === undefined ? undefined : this.deadlineMs - nowMs;
    const waited = left !== undefined && nowMs - this.startedMs > unnoticedMs;
    if (!waited && this.#added === undefined) return this.head.block;
    return this.head.blockWith(left === undefined ? undefined : formatTimeout(left), this.#added ?? []);
  }

  /** Sends what is kept on `stream`, whose HEADERS are out, with the end if the request has ended. */
  replay(stream: Stream): void {
    const chunks = this.#held?.chunks ?? [];
    const endWithLast = this.ended && this.#trailers === undefined;
    for (const [at, { bytes, start, end }] of chunks.entries()) {
      stream.send(bytes, start, end, endWithLast && at === chunks.length - 1);
    }
    if (this.#trailers !== undefined) stream.sendTrailers(this.#trailers);
  }

  /** Keeps nothing any more. */
  drop(): void {
    this.#kept = false;
    this.#held?.clear();
    this.#held = undefined;
  }
}
