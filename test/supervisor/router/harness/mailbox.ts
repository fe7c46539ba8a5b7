const shownChars = 2000;

/** Values that arrive, and those who wait for one; waiting ends with an error after `deadlineMs`. */
export class Mailbox<T> {
  readonly #deadlineMs: number;
  readonly #values: T[] = [];
  readonly #waiters = new Set<() => void>();

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  put(value: T): void {
    this.#values.push(value);
    for (const check of this.#waiters) check();
  }

  /** Takes the first value that `wanted` accepts, now or when it comes. */
  async take(wanted: (value: T) => boolean = () => true): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const at = this.#values.findIndex((value) => wanted(value));
        if (at < 0) return;
        stop();
        resolve(this.#values.splice(at, 1)[0] as T);
      };
      const timer = setTimeout(() => {
        stop();
        const shown = JSON.stringify(this.#values).slice(0, shownChars);
        reject(new Error(`nothing of the kind came in ${this.#deadlineMs} ms; there was ${shown}`));
      }, this.#deadlineMs);
      const stop = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(check);
      };
      this.#waiters.add(check);
      check();
    });
  }
}
