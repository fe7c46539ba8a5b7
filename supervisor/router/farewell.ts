import type { Stream } from "./stream.ts";
import type { Resumable, TurnFlusher } from "./turn-flusher.ts";

/** What the ends of connections may take of a turn together, milliseconds. */
const turnMs = 0.5;
/** Streams of one connection that are told before those of the next one are. */
const streamsAtOnce = 16;

interface Leaving {
  readonly streams: readonly Stream[];
  readonly reason: string;
  readonly done: () => void;
  at: number;
}

/** Tells the streams of connections that have ended, some in each turn and of each connection: there may be thousands. */
export class Farewell implements Resumable {
  readonly #flusher: TurnFlusher;
  readonly #now: () => number;
  #leaving: Leaving[] = [];
  #listed = false;
  #turn = -1;
  #usedMs = 0;

  /** @param now milliseconds, monotonic. */
  constructor(flusher: TurnFlusher, now: () => number) {
    this.#flusher = flusher;
    this.#now = now;
  }

  /** Has `streams` told that their connection ended, from now on; `done` is called when all have been. */
  begin(streams: readonly Stream[], reason: string, done: () => void): void {
    this.#leaving.push({ streams, reason, done, at: 0 });
    if (!this.#listed) this.#goOn();
  }

  resume(): void {
    this.#listed = false;
    this.#goOn();
  }

  #goOn(): void {
    const { turn } = this.#flusher;
    if (this.#turn !== turn) this.#usedMs = 0;
    this.#turn = turn;
    const startedMs = this.#now() - this.#usedMs;
    // Telling one stream may end another connection, which then waits at the end.
    this.#listed = true;
    for (let next = this.#leaving.shift(); next !== undefined; next = this.#leaving.shift()) {
      if (this.#tellSome(next)) next.done();
      else this.#leaving.push(next);
      this.#usedMs = this.#now() - startedMs;
      if (this.#usedMs >= turnMs && this.#leaving.length > 0) return this.#flusher.later(this);
    }
    this.#listed = false;
  }

  /** Answers whether all have been told. */
  #tellSome(leaving: Leaving): boolean {
    const { streams, reason } = leaving;
    const end = Math.min(streams.length, leaving.at + streamsAtOnce);
    while (leaving.at < end) {
      const stream = streams[leaving.at++];
      // One that its user reset meanwhile needs no telling.
      if (stream === undefined || stream.state === "closed") continue;
      stream.change("reset");
      stream.user.onLost(stream, reason);
    }
    return leaving.at === streams.length;
  }
}
