import type { Clock, Timer } from "../clock.ts";

/** A call that waits: for a package, for a connection, or for the first routes of a boot. */
export interface ParkedCall {
  /** Its own deadline as `performance.now()` counts, milliseconds; undefined: none. */
  readonly deadlineMs: number | undefined;
  /** Request bytes that are held for it. */
  readonly keptBytes: number;
  /** It waited as long as it may; it is no longer parked. */
  onOverdue(cause: "deadline" | "parking-time"): void;
}

/** How much may wait; as `parking` of a manifest says. */
export interface ParkingBounds {
  readonly calls: number;
  readonly bytes: number;
  readonly timeMs: number;
}

/** Calls that wait, oldest first, each at most until its deadline. Owns: their timers. */
export class ParkingLot {
  readonly #calls = new Map<ParkedCall, Timer | undefined>();
  readonly #clock: Clock;
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#calls.size;
  }

  get first(): ParkedCall | undefined {
    return this.#calls.keys().next().value;
  }

  [Symbol.iterator](): IterableIterator<ParkedCall> {
    return this.#calls.keys();
  }

  /** Parks `call`; answers which bound forbids it, else undefined. */
  add(call: ParkedCall, bounds: ParkingBounds): "calls" | "bytes" | undefined {
    if (this.#calls.size >= bounds.calls) return "calls";
    if (this.#bytes + call.keptBytes > bounds.bytes) return "bytes";
    this.#bytes += call.keptBytes;
    this.#calls.set(call, this.#timer(call, bounds.timeMs));
    return undefined;
  }

  /** Counts bytes that arrived for a parked call; false: over the bound. Call before they are counted by the call. */
  grow(bytes: number, bounds: ParkingBounds): boolean {
    this.#bytes += bytes;
    return this.#bytes <= bounds.bytes;
  }

  /** Takes `call` out, if it is in. */
  remove(call: ParkedCall): void {
    if (!this.#calls.has(call)) return;
    this.#clock.clearTimer(this.#calls.get(call));
    this.#calls.delete(call);
    this.#bytes = this.#calls.size === 0 ? 0 : this.#bytes - call.keptBytes;
  }

  #timer(call: ParkedCall, timeMs: number): Timer | undefined {
    const left = call.deadlineMs === undefined ? Number.POSITIVE_INFINITY : call.deadlineMs - this.#clock.monotonic();
    const wait = Math.min(left, timeMs);
    if (!Number.isFinite(wait)) return undefined;
    const cause = left <= timeMs ? "deadline" : "parking-time";
    return this.#clock.setTimer(
      () => {
        this.remove(call);
        call.onOverdue(cause);
      },
      Math.max(0, Math.min(wait, longestTimerMs)),
    );
  }
}

/** Node's timers count in 31 bits. */
const longestTimerMs = 0x7fffffff;
