/** Events that were handed over and are not acknowledged, at most; who publishes more waits. */
const aheadLimit = 256;

/**
 * Hands events over without waiting until each is acknowledged: they reach the events package in their order, and sent
 * again when it dies. A caller waits only while too many are on their way.
 */
export class ToldEvents {
  #ahead = 0;

  /** `told` resolves when the event is acknowledged, or spooled. */
  async pass(told: Promise<void>): Promise<void> {
    this.#ahead++;
    const done = told.finally(() => this.#ahead--);
    if (this.#ahead > aheadLimit) await done;
  }
}
