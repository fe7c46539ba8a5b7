/** Something that is to happen; also what a clock of the simulation hands out as a timer. */
export interface Entry {
  dueMs: number;
  readonly order: number;
  readonly life: Life | undefined;
  /** Undefined: cancelled, or over. */
  run: (() => void) | undefined;
}

/** When the simulated machine's wall clock begins. */
const epochMs = Date.UTC(2026, 0, 1);

/**
 * Simulated time. It advances only from one thing that is to happen to the next, and only once everything that
 * followed from the last one, promises included, has been done.
 */
export class Timeline {
  /** Milliseconds since the start: what monotonic clocks show. */
  nowMs = 0;
  #wallOffsetMs = 0;
  #order = 0;
  readonly #heap: Entry[] = [];

  get wallMs(): number {
    return epochMs + this.nowMs + this.#wallOffsetMs;
  }

  /** Somebody sets the wall clock, or the machine was suspended. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** Every process stands still for that long: whatever was due happens late. */
  freeze(ms: number): void {
    this.nowMs += ms;
  }

  /** Has `run` happen `delayMs` from now, unless `life` is over by then. */
  after(delayMs: number, run: () => void, life?: Life): Entry {
    const entry: Entry = { dueMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, life, run };
    this.#push(entry);
    return entry;
  }

  cancel(entry: Entry | undefined): void {
    if (entry !== undefined) entry.run = undefined;
  }

  /** When the next thing is to happen; undefined: nothing is. */
  get nextMs(): number | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      const { life } = first;
      if (first.run === undefined || life?.over === true) this.#pop();
      else if (life !== undefined && life.stalledUntilMs > Math.max(first.dueMs, this.nowMs)) {
        this.#pop();
        first.dueMs = life.stalledUntilMs;
        this.#push(first);
      } else return Math.max(first.dueMs, this.nowMs);
    }
    return undefined;
  }

  /** Has the next thing happen, and all that follows from it at once. False: nothing is to happen until `untilMs`. */
  async step(untilMs: number): Promise<boolean> {
    const next = this.nextMs;
    if (next === undefined || next > untilMs) {
      this.nowMs = Math.max(this.nowMs, untilMs);
      return false;
    }
    const entry = this.#pop();
    this.nowMs = next;
    const run = entry?.run;
    if (entry !== undefined) entry.run = undefined;
    run?.();
    await settled();
    return true;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const child = isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

/** Resolves once no promise has anything left to do. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(one: Entry | undefined, other: Entry | undefined): boolean {
  if (one === undefined || other === undefined) return one !== undefined;
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}

/** The life of one simulated process of ours: what was to happen in it does not once it is over. Also its clock. */
export class Life {
  over = false;
  /** It stands still until then (SIGSTOP); what is due for it happens late. */
  stalledUntilMs = 0;
  readonly timeline: Timeline;
  readonly #endWatchers: (() => void)[] = [];

  constructor(timeline: Timeline) {
    this.timeline = timeline;
  }

  /** Calls back when it is over. */
  onEnd(callback: () => void): void {
    this.#endWatchers.push(callback);
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    for (const tell of this.#endWatchers) tell();
  }

  stall(ms: number): void {
    this.stalledUntilMs = Math.max(this.stalledUntilMs, this.timeline.nowMs + ms);
  }

  now(): number {
    return Math.floor(this.timeline.wallMs);
  }

  monotonic(): number {
    return this.timeline.nowMs;
  }

  setTimer(callback: () => void, delayMs: number): Entry {
    return this.timeline.after(delayMs, callback, this);
  }

  clearTimer(timer: object | undefined): void {
    this.timeline.cancel(timer as Entry | undefined);
  }

  /** Resolves after that time, unless the life ends before. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.setTimer(resolve, ms));
  }
}
