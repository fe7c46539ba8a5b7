import type { TrashStore } from "./trash.ts";

/**
 * What is being deleted in back ends at this moment: whoever would refer to it again waits until it is gone. Begun
 * inside the transaction that looks for references, so nobody refers to it in between.
 */
export class Removals {
  readonly #ends = new Map<string, PromiseWithResolvers<void>>();

  /** Marks it; give it back with `end`. */
  begin(store: TrashStore, key: string): void {
    this.#ends.set(`${store} ${key}`, Promise.withResolvers());
  }

  end(store: TrashStore, key: string): void {
    this.#ends.get(`${store} ${key}`)?.resolve();
    this.#ends.delete(`${store} ${key}`);
  }

  has(store: TrashStore, key: string): boolean {
    return this.#ends.has(`${store} ${key}`);
  }

  /** Resolves when it is deleted; undefined: it is not being. */
  whenDone(store: TrashStore, key: string): Promise<void> | undefined {
    return this.#ends.get(`${store} ${key}`)?.promise;
  }
}
