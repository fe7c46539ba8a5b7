import type { Caller } from "./routing.ts";

/** How many connections each caller has: a user of the main socket, a package on its host socket. */
export class CallerCounts {
  readonly #counts = new Map<string, number>();

  of(caller: Caller): number {
    return this.#counts.get(caller.label) ?? 0;
  }

  add(caller: Caller): void {
    this.#counts.set(caller.label, this.of(caller) + 1);
  }

  remove(caller: Caller): void {
    const left = this.of(caller) - 1;
    if (left > 0) this.#counts.set(caller.label, left);
    else this.#counts.delete(caller.label);
  }
}
