/** One at a time for each key: who comes later waits until those before have settled. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` in its turn; gives up waiting, without having run it, when `signal` aborts. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const start = async (): Promise<T> => {
      await before?.catch(() => {}); // heard by its own caller
      signal.throwIfAborted();
      return work();
    };
    const own = start();
    this.#last.set(key, own);
    try {
      return await own;
    } finally {
      if (this.#last.get(key) === own) this.#last.delete(key);
    }
  }
}
