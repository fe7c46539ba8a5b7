import type { BufferPool } from "./buffer-pool.ts";
import type { ConnectionContext } from "./connection-context.ts";
import type { Transport } from "./transport.ts";
import type { Resumable, TurnFlusher } from "./turn-flusher.ts";

/**
 * What a peer sent beyond its share of the turn. Until it has been read, a share each turn, nothing more is taken from
 * the socket, so there is one read's worth at most. Owns: the copy, lent by the pool.
 */
export class UnreadRest implements Resumable {
  readonly #transport: Transport;
  readonly #pool: BufferPool;
  readonly #flusher: TurnFlusher;
  readonly #read: (bytes: Buffer, start: number, end: number) => number;
  #bytes: Buffer | undefined;
  #start = 0;
  #end = 0;

  /** `read` reads on and answers where it stopped. */
  constructor(
    transport: Transport,
    context: ConnectionContext,
    read: (bytes: Buffer, start: number, end: number) => number,
  ) {
    this.#transport = transport;
    this.#pool = context.pool;
    this.#flusher = context.flusher;
    this.#read = read;
  }

  /** Copies `bytes[start..end)`, to be read from the next turn on. */
  keep(bytes: Buffer, start: number, end: number): void {
    const copy = this.#pool.take(end - start);
    bytes.copy(copy, 0, start, end);
    this.#bytes = copy;
    this.#start = 0;
    this.#end = end - start;
    this.#transport.pause();
    this.#flusher.later(this);
  }

  resume(): void {
    if (this.#bytes === undefined) return;
    this.#start = this.#read(this.#bytes, this.#start, this.#end);
    if (this.#start < this.#end) return this.#flusher.later(this);
    // Nothing is left even when the connection ended during the read.
    this.drop();
    this.#transport.resume();
  }

  /** Forgets it: the connection has ended. */
  drop(): void {
    if (this.#bytes !== undefined) this.#pool.give(this.#bytes);
    this.#bytes = undefined;
  }
}
