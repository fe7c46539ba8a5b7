import type { Clock } from "../clock.ts";
import type { BufferPool } from "./buffer-pool.ts";
import type { Farewell } from "./farewell.ts";
import type { HeldBytes } from "./held-bytes.ts";
import type { Limits } from "./limits.ts";
import type { Transport } from "./transport.ts";
import type { TurnFlusher } from "./turn-flusher.ts";

/** What all connections of one router share. */
export interface ConnectionContext {
  /** Of connections that begin now; those that are open keep theirs. */
  limits: Limits;
  /** Calls of clients that are open now. */
  openCalls: number;
  readonly farewell: Farewell;
  readonly flusher: TurnFlusher;
  readonly pool: BufferPool;
  readonly held: HeldBytes;
  /** Milliseconds, monotonic; `clock`'s. */
  readonly now: () => number;
  readonly clock: Clock;
  /** Connects to a package's socket; one of the two is called, once. */
  readonly connect: (
    socket: string,
    connected: (transport: Transport) => void,
    failed: (reason: string) => void,
  ) => void;
}
