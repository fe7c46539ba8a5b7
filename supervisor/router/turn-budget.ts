import type { TurnFlusher } from "./turn-flusher.ts";

/** What one connection may take of a turn, milliseconds: some 30 small calls. */
const connectionMs = 0.5;
/** What all together may take before each gets only its `leastFrames`, milliseconds. */
const turnMs = 1;
/** Frames of a connection that are taken in any turn. */
const leastFrames = 8;
/** Frames of no use after which a connection has had its turn; when all together sent as many, one is enough. */
const mostWasted = 8;

/**
 * How much of what one peer sent is worked off in one turn of the event loop, so that nobody waits for a peer that sent
 * much at once; the rest waits for the next turn, after every other socket has been looked at. Time is counted, not
 * frames, since it is time that others would wait.
 */
export class TurnBudget {
  /** It is enough for this turn. */
  spent = false;
  readonly #flusher: TurnFlusher;
  readonly #now: () => number;
  #turn = -1;
  #frames = 0;
  #wasted = 0;
  #startedMs = 0;

  /** @param now milliseconds, monotonic. */
  constructor(flusher: TurnFlusher, now: () => number) {
    this.#flusher = flusher;
    this.#now = now;
  }

  /** More bytes are at hand. */
  begin(): void {
    const { turn } = this.#flusher;
    if (this.#turn === turn) return;
    this.#turn = turn;
    this.#frames = 0;
    this.#wasted = 0;
    this.spent = false;
  }

  /** Counts a frame that is taken now. */
  charge(): void {
    if (this.#frames++ === 0) this.#startedMs = this.#flusher.startedMs ??= this.#now();
    if (this.#frames % leastFrames === 0) this.#look();
  }

  /** The frame was of no use: it is what attacks are made of. */
  waste(): void {
    this.#wasted++;
    this.#flusher.wasted++;
    if (this.#wasted >= mostWasted || this.#flusher.wasted >= mostWasted) this.spent = true;
  }

  #look(): void {
    const now = this.#now();
    if (this.#frames === leastFrames) this.#startedMs = now;
    const turnStartedMs = this.#flusher.startedMs ?? now;
    this.spent ||= now - this.#startedMs >= connectionMs || now - turnStartedMs >= turnMs;
  }
}
