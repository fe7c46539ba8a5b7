import type { Stream } from "./stream.ts";

const leastSlots = 16;
/** Secret and odd, so that a peer cannot choose ids that fall together. */
const multiplier = Math.floor(Math.random() * 2 ** 31) * 2 + 1;

/**
 * The open streams of a connection by id: a hash table with linear probing. A Map would do but for the collector: it
 * replaces its table every few hundred calls, and dead tables that were promoted keep dead calls alive.
 */
export class StreamTable {
  size = 0;
  #slots: (Stream | undefined)[] = emptySlots(leastSlots);
  #shift = 32 - Math.log2(leastSlots);

  get(id: number): Stream | undefined {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let at = Math.imul(id, multiplier) >>> this.#shift; ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === undefined || stream.id === id) return stream;
    }
  }

  /** Adds a stream whose id is not in the table. */
  add(stream: Stream): void {
    if ((this.size + 1) * 2 > this.#slots.length) this.#resize(this.#slots.length * 2);
    this.size++;
    this.#put(stream);
  }

  /** Takes `stream` out; false: it was not in. */
  delete(stream: Stream): boolean {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let gap = this.#home(stream.id);
    while (slots[gap] !== stream) {
      if (slots[gap] === undefined) return false;
      gap = (gap + 1) & mask;
    }
    this.size--;
    // Those that were pushed past the gap move back, so that every probe still finds its stream.
    for (let at = (gap + 1) & mask; ; at = (at + 1) & mask) {
      const other = slots[at];
      if (other === undefined) break;
      if (((at - this.#home(other.id)) & mask) < ((at - gap) & mask)) continue;
      slots[gap] = other;
      gap = at;
    }
    slots[gap] = undefined;
    if (this.size === 0 && slots.length > leastSlots * 16) this.#resize(leastSlots);
    return true;
  }

  /** All streams as they are now, in the order they began, so that calls that are made again keep theirs. */
  all(): Stream[] {
    return this.#slots.filter((stream) => stream !== undefined).sort((a, b) => a.id - b.id);
  }

  #home(id: number): number {
    return Math.imul(id, multiplier) >>> this.#shift;
  }

  #put(stream: Stream): void {
    const slots = this.#slots;
    let at = this.#home(stream.id);
    while (slots[at] !== undefined) at = (at + 1) & (slots.length - 1);
    slots[at] = stream;
  }

  #resize(slots: number): void {
    const streams = this.all();
    this.#slots = emptySlots(slots);
    this.#shift = 32 - Math.log2(slots);
    for (const stream of streams) this.#put(stream);
  }
}

function emptySlots(count: number): (Stream | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}
