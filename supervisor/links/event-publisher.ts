import type { PackageEvent } from "./package-event.ts";
import type { Channel } from "#rpc";

/** Events that wait while the events package is away; older ones are dropped. */
const waitingLimit = 1000;
/** How long one may take to be taken, and the pause after a failure, milliseconds. */
const publishMs = 5000;
const retryMs = 1000;

export interface EventPublisherOptions {
  /** A connection to the package that routes events; undefined: it is not ready. */
  connect(): Promise<Channel> | undefined;
  /** How many were dropped before this many could be sent again. */
  onDropped(count: number): void;
}

/**
 * Sends events of packages to the events package, in order, each with the time it happened at. Nothing is sent before
 * `open`, so that a boot has its processors for itself. Owns: what waits, and its timer.
 */
export class EventPublisher implements Disposable {
  readonly #options: EventPublisherOptions;
  #waiting: PackageEvent[] = [];
  #dropped = 0;
  #open = false;
  #sending = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: EventPublisherOptions) {
    this.#options = options;
  }

  open(): void {
    this.#open = true;
    this.wake();
  }

  publish(event: PackageEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > waitingLimit) {
      this.#waiting.shift();
      this.#dropped++;
    }
    this.wake();
  }

  /** The events package may be back. */
  wake(): void {
    if (!this.#open || this.#sending || this.#waiting.length === 0) return;
    clearTimeout(this.#retry);
    const channel = this.#options.connect();
    if (channel === undefined) return; // its getting ready is a change, which wakes us
    this.#sending = true;
    void this.#send(channel).finally(() => (this.#sending = false)); // it never rejects
  }

  [Symbol.dispose](): void {
    this.#open = false;
    clearTimeout(this.#retry);
  }

  async #send(connecting: Promise<Channel>): Promise<void> {
    try {
      const { sendEvent } = await import("./send-event.ts");
      const channel = await connecting;
      for (let next = this.#waiting[0]; next !== undefined && this.#open; next = this.#waiting[0]) {
        await sendEvent(channel, next, Date.now() + publishMs);
        if (this.#waiting[0] === next) this.#waiting.shift();
      }
      if (this.#dropped > 0) this.#options.onDropped(this.#dropped);
      this.#dropped = 0;
    } catch {
      // It went away, or is too slow: the rest waits.
      this.#retry = setTimeout(() => this.wake(), retryMs).unref();
    }
  }
}
