import type { KeyChange } from "./journal.ts";
import type { ByteStore } from "./reader.ts";

/**
 * Changes that the database proper has not taken over yet, in the order of their keys: reading looks here first. Keys
 * are strings of their bytes (latin1), which sort as the bytes do.
 */
export class RecentChanges {
  readonly #values = new Map<string, Uint8Array | undefined>();
  /** Every key, sorted. */
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  set({ key, value }: KeyChange): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#indexOf(key), 0, key);
    this.#values.set(key, value);
  }

  /** As if the key had not been changed. */
  forget(key: string): void {
    if (this.#values.delete(key)) this.#keys.splice(this.#indexOf(key), 1);
  }

  clear(): void {
    this.#values.clear();
    this.#keys.length = 0;
  }

  /** In byte order of their keys. */
  *entries(): Iterable<KeyChange> {
    for (const key of this.#keys) yield { key, value: this.#values.get(key) };
  }

  /** What lies below, as it is with these changes. */
  over(below: ByteStore): ByteStore {
    return {
      get: (key) => {
        const name = key.toString("latin1");
        return this.#values.has(name) ? this.#values.get(name) : below.get(key);
      },
      range: (start, end, exclusiveStart) => {
        const found = below.range(start, end, exclusiveStart);
        const changes = this.#between(start.toString("latin1"), end.toString("latin1"), exclusiveStart);
        return changes.length === 0 ? found : merged(found, changes);
      },
    };
  }

  #between(start: string, end: string, exclusiveStart: boolean): KeyChange[] {
    const first = this.#indexOf(start);
    const isSkipped = exclusiveStart && this.#keys[first] === start;
    const keys = this.#keys.slice(isSkipped ? first + 1 : first, this.#indexOf(end));
    return keys.map((key) => ({ key, value: this.#values.get(key) }));
  }

  /** Where the first key stands that is not before this one. */
  #indexOf(key: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function* merged(
  found: Iterable<{ key: Buffer; value: Uint8Array }>,
  changes: readonly KeyChange[],
): Iterable<{ key: Buffer; value: Uint8Array }> {
  let next = 0;
  for (const entry of found) {
    const key = entry.key.toString("latin1");
    let change = changes[next];
    for (; change !== undefined && change.key < key; change = changes[++next]) yield* shown(change);
    if (change?.key !== key) yield entry;
    else {
      yield* shown(change);
      next++;
    }
  }
  for (const change of changes.slice(next)) yield* shown(change);
}

function* shown({ key, value }: KeyChange): Iterable<{ key: Buffer; value: Uint8Array }> {
  if (value !== undefined) yield { key: Buffer.from(key, "latin1"), value };
}
