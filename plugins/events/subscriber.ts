import { HostError } from "bulkhead/plugin";

/** How far a subscriber may fall behind. */
export interface SubscriberLimits {
  /** Waiting events. */
  readonly events: number;
  /** Bytes of those. */
  readonly bytes: number;
}

export const defaultSubscriberLimits: SubscriberLimits = { events: 10_000, bytes: 16 * 1024 * 1024 };

/** Serialized envelopes that wait for one subscriber. Owns: those; it lets go of them when it ends. */
export class Subscriber {
  readonly #limits: SubscriberLimits;
  #waiting: Buffer[] = [];
  /** Being read; the reader may be stuck in the middle of it. */
  #batch: Buffer[] = [];
  #count = 0;
  #bytes = 0;
  #failure: HostError | undefined;
  #wake: (() => void) | undefined;

  constructor(limits: SubscriberLimits) {
    this.#limits = limits;
  }

  /** Adds an event. Gives false when the subscriber fell too far behind, which ends it. */
  offer(event: Buffer): boolean {
    if (this.#failure !== undefined) return false;
    this.#count++;
    this.#bytes += event.length;
    if (this.#count > this.#limits.events || this.#bytes > this.#limits.bytes) {
      const { events, bytes } = this.#limits;
      const message =
        `subscription ended: more than ${events} events or ${bytes} bytes were waiting to be read;` +
        " read faster, filter more, or raise subscriberEvents and subscriberBytes of io.containerd.event.v1.exchange";
      this.end(new HostError("resource-exhausted", message));
      return false;
    }
    this.#waiting.push(event);
    this.#wake?.();
    return true;
  }

  /** Ends the subscription with an error; what waited is dropped. */
  end(error: HostError): void {
    this.#failure ??= error;
    this.#waiting = [];
    this.#batch.length = 0;
    this.#wake?.();
  }

  /** The events, in order, until the subscription ends; then throws why, or the signal's reason. */
  async *read(signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const wake = () => this.#wake?.();
    signal.addEventListener("abort", wake, { once: true });
    try {
      for (;;) {
        this.#batch = this.#waiting;
        this.#waiting = [];
        for (const event of this.#batch) {
          this.#check(signal);
          this.#count--;
          this.#bytes -= event.length;
          yield event;
        }
        this.#check(signal);
        if (this.#waiting.length === 0) await this.#news();
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  #check(signal: AbortSignal): void {
    if (this.#failure !== undefined) throw this.#failure;
    signal.throwIfAborted();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
