/**
 * A latch between someone who changes a thing and one who looks at it: wakes are remembered, but only one, so
 * that a slow reader sees the newest state and never a queue.
 */
export class Wakeup {
  #pending = false;
  #resolve: (() => void) | undefined;

  /** Lets the present or the next wait end. A bound function: hand it out as a listener. */
  readonly wake = (): void => {
    this.#pending = true;
    this.#resolve?.();
  };

  /** Resolves at the next wake, or at once if one came meanwhile, or when `signal` aborts. One waiter at a time. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      this.#resolve = undefined;
    }
    this.#pending = false;
  }
}
