import { classedError } from "bulkhead/plugin";
import { nanosOf, timestampNow } from "#proto/wire/timestamp.ts";

/** containerd tries this often, with a random pause below 2^n ms after the nth. */
const tries = 10;

interface Held {
  sinceNanos: bigint;
  /** Those who wait for it, first come first served; each says whether it still wanted the lock. */
  readonly waiting: (() => boolean)[];
}

/** Time and chance, so that tests can rule them. */
export interface LockClock {
  /** Nanoseconds since the epoch. */
  now(): bigint;
  /** 0 to 1, 1 excluded. */
  random(): number;
}

const systemClock: LockClock = { now: () => nanosOf(timestampNow()), random: () => Math.random() };

/** One writer a ref. Owns: the locks, until each is released. */
export class RefLocks {
  readonly #held = new Map<string, Held>();
  readonly #clock: LockClock;

  constructor(clock: LockClock = systemClock) {
    this.#clock = clock;
  }

  /**
   * Takes the lock of a ref, waiting as long as containerd's ten tries would take, and gives what releases it.
   * Throws unavailable `ref x locked for …`. Aborting rejects with the signal's reason.
   */
  async acquire(ref: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const held = this.#held.get(ref);
    if (held === undefined) this.#held.set(ref, { sinceNanos: this.#clock.now(), waiting: [] });
    else await this.#waitFor(ref, held, signal);
    return this.#releaser(ref);
  }

  #releaser(ref: string): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#passOn(ref);
    };
  }

  #passOn(ref: string): void {
    const held = this.#held.get(ref);
    if (held === undefined) return;
    for (let grant = held.waiting.shift(); grant !== undefined; grant = held.waiting.shift()) {
      if (!grant()) continue;
      held.sinceNanos = this.#clock.now();
      return;
    }
    this.#held.delete(ref);
  }

  #waitFor(ref: string, held: Held, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (finish: () => void): boolean => {
        if (settled) return false;
        settled = true;
        clearTimeout(timer);
        signal.removeEventListener("abort", refuse);
        finish();
        return true;
      };
      const refuse = () => settle(() => reject(signal.reason as Error));
      const timer = setTimeout(() => settle(() => reject(this.#lockedError(ref, held))), this.#patienceMs());
      signal.addEventListener("abort", refuse, { once: true });
      held.waiting.push(() => settle(resolve));
    });
  }

  #patienceMs(): number {
    let sum = 0;
    for (let n = 0; n < tries; n++) sum += Math.floor(this.#clock.random() * 2 ** n);
    return sum;
  }

  #lockedError(ref: string, held: Held): Error {
    const forMs = Number(this.#clock.now() - held.sinceNanos) / 1e6;
    const since = new Date(Number(held.sinceNanos / 1_000_000n)).toISOString().replace("T", " ").replace("Z", "");
    return classedError("unavailable", `ref ${ref} locked for ${forMs}ms (since ${since} +0000 UTC)`);
  }
}
