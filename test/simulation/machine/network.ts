import type { Transport, TransportEvents } from "../../../supervisor/router/transport.ts";
import type { Chance } from "./chance.ts";
import type { Life } from "./timeline.ts";

/** How long bytes travel at most, milliseconds. */
const longestWayMs = 2;
/** How often the kernel takes a write only in part. */
const partialWrites = 0.03;

/** One end of a connection. What it reports comes in its owner's time, in order. */
export class Endpoint implements Transport {
  readonly #life: Life;
  readonly #chance: Chance;
  #far: Endpoint | undefined;
  #events: TransportEvents | undefined;
  /** What has arrived and was not reported yet. */
  readonly #inbox: (() => void)[] = [];
  #paused = true;
  #reporting = false;
  #closed = false;
  #lastArrivalMs = 0;

  private constructor(life: Life, chance: Chance) {
    this.#life = life;
    this.#chance = chance;
  }

  /** Both ends of a connection between two lives. */
  static pair(one: Life, other: Life, chance: Chance): [Endpoint, Endpoint] {
    const near = new Endpoint(one, chance);
    const far = new Endpoint(other, chance);
    near.#far = far;
    far.#far = near;
    return [near, far];
  }

  start(events: TransportEvents): void {
    this.#events = events;
    this.resume();
  }

  /** A write to a peer that is gone is lost like any other: its fate is not known. */
  readonly refused = false;

  write(bytes: Buffer, length: number): boolean {
    if (this.#closed) return true;
    const copy = Buffer.from(bytes.subarray(0, length));
    this.#far?.arrive((events) => events.onBytes(copy, copy.length));
    if (!this.#chance.happens(partialWrites)) return true;
    this.#life.setTimer(() => {
      if (!this.#closed) this.#events?.onWritable();
    }, this.#chance.next() * longestWayMs);
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#report();
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.length = 0;
    this.#life.setTimer(() => this.#events?.onClosed(""), 0);
    this.#far?.arrive((events) => {
      events.onEnd();
      this.#far?.destroy();
    });
  }

  /** Its process ended: the far end hears of it. */
  cut(): void {
    this.#events = undefined;
    this.destroy();
  }

  /** Has the events of this end told, in order. */
  arrive(report: (events: TransportEvents) => void): void {
    if (this.#closed) return;
    const { timeline } = this.#life;
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, timeline.nowMs + this.#chance.next() * longestWayMs);
    const tell = (): void => {
      if (this.#events !== undefined && !this.#closed) report(this.#events);
    };
    this.#life.setTimer(() => {
      this.#inbox.push(tell);
      this.#report();
    }, this.#lastArrivalMs - timeline.nowMs);
  }

  #report(): void {
    if (this.#reporting || this.#events === undefined) return;
    this.#reporting = true;
    while (!this.#paused) {
      const next = this.#inbox.shift();
      if (next === undefined) break;
      next();
    }
    this.#reporting = false;
  }
}
