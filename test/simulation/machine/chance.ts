import { numbersFrom } from "../../differential/chance.ts";

const range = 2 ** 32;

/** One seeded generator for everything that is left to chance: the same seed gives the same run. */
export class Chance {
  readonly #draw: (below: number) => number;

  constructor(seed: number) {
    this.#draw = numbersFrom(seed);
  }

  /** 0 to 1, without 1. */
  next(): number {
    return this.#draw(range) / range;
  }

  /** An integer, both ends included. */
  between(least: number, most: number): number {
    return least + this.#draw(most - least + 1);
  }

  happens(probability: number): boolean {
    return this.next() < probability;
  }

  /** Undefined only of an empty list. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.#draw(list.length)];
  }

  /** One of the keys, each as likely as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries<number>(weights) as [T, number][];
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    throw new Error("no weights");
  }
}
