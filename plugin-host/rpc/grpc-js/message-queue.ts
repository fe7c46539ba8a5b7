import type { Readable } from "node:stream";

/**
 * Messages of an object-mode stream, pulled one by one so that flow control reaches the sender. Ends when the
 * stream ends; throws `failure()` when `wake` fires and that gives an error. Never destroys the stream.
 */
export class MessageQueue implements AsyncIterableIterator<Buffer> {
  readonly #stream: Readable;
  readonly #failure: () => Error | undefined;
  #ended = false;
  #waiter: (() => void) | undefined;

  constructor(stream: Readable, failure: () => Error | undefined) {
    this.#stream = stream;
    this.#failure = failure;
    stream.on("readable", this.wake);
    stream.on("end", () => {
      this.#ended = true;
      this.wake();
    });
  }

  /** Looks again: there is news of messages, end or failure. */
  readonly wake = (): void => {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.();
  };

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    for (;;) {
      const message = this.#stream.read() as Buffer | null;
      if (message !== null) return { done: false, value: message };
      const failure = this.#failure();
      if (failure !== undefined) throw failure;
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#waiter = resolve;
      });
    }
  }

  return(): Promise<IteratorResult<Buffer, undefined>> {
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
