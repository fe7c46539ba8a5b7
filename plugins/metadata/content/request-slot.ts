/** The requests of a stream that is driven one by one: holds at most one that was not taken yet. */
export class RequestSlot implements AsyncIterableIterator<Uint8Array> {
  #waiting: Uint8Array | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  /** Offers the next request; the one before must have been answered. */
  put(request: Uint8Array): void {
    this.#waiting = request;
    this.#wake?.();
  }

  /** No more requests. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    while (this.#waiting === undefined && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const value = this.#waiting;
    this.#waiting = undefined;
    return value === undefined ? { done: true, value } : { done: false, value };
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
