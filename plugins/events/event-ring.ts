/** How much of the past is kept. */
export interface RingLimits {
  readonly events: number;
  readonly bytes: number;
}

export const defaultRingLimits: RingLimits = { events: 1_000, bytes: 4 * 1024 * 1024 };

interface Entry {
  /** Counts from 1 in each process, without gaps. */
  readonly sequence: bigint;
  readonly event: Buffer;
}

/** The latest events, serialized, oldest first. Owns: them. */
export class EventRing {
  readonly #limits: RingLimits;
  /** Kept ones begin at `#first`; the dead ones before it go when they are the most. */
  #entries: Entry[] = [];
  #first = 0;
  #bytes = 0;
  #sequence = 0n;

  constructor(limits: RingLimits) {
    this.#limits = limits;
  }

  /** The number of the latest event; 0 before the first. */
  get sequence(): bigint {
    return this.#sequence;
  }

  push(event: Buffer): void {
    this.#sequence++;
    this.#entries.push({ sequence: this.#sequence, event });
    this.#bytes += event.length;
    while (this.#entries.length - this.#first > this.#limits.events || this.#bytes > this.#limits.bytes) this.#drop();
    if (this.#first > this.#limits.events) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Those after `sequence` that are still kept. */
  since(sequence: bigint): readonly Entry[] {
    return this.#entries.slice(this.#first).filter((entry) => entry.sequence > sequence);
  }

  #drop(): void {
    this.#bytes -= this.#entries[this.#first]?.event.length ?? 0;
    this.#first++;
  }
}
