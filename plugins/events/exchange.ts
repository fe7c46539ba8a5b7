import type { Any } from "@bufbuild/protobuf/wkt";
import { classedError, HostError, isHostError } from "bulkhead/plugin";
import { parseFilter } from "#proto/wire/filter-parser.ts";
import { compileFilters, type Filter } from "#proto/wire/filters.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import { PublishedEvent, validateEnvelope, validateTopic, type EnvelopeParts } from "./envelope.ts";
import { defaultRingLimits, EventRing, type RingLimits } from "./event-ring.ts";
import { defaultSubscriberLimits, Subscriber, type SubscriberLimits } from "./subscriber.ts";

/** Topics below are the host's own: only those who name one get them, so that containerd's clients never do. */
const hostTopics = "/bulkhead/";

export interface ExchangeLimits {
  readonly subscriber: SubscriberLimits;
  readonly ring: RingLimits;
}

export const defaultExchangeLimits: ExchangeLimits = { subscriber: defaultSubscriberLimits, ring: defaultRingLimits };

/** Subscribers with the same filters, which are asked once for all of them. */
interface Audience {
  readonly passes: Filter;
  /** The filters that name a topic of the host; undefined: none does. */
  readonly passesHostTopics: Filter | undefined;
  readonly subscribers: Set<Subscriber>;
}

/** containerd's event exchange (events/exchange/exchange.go). Owns: the ring and every subscriber's queue. */
export class Exchange {
  readonly ring: EventRing;
  readonly #limits: ExchangeLimits;
  readonly #audiences = new Map<string, Audience>();

  constructor(limits: ExchangeLimits = defaultExchangeLimits) {
    this.#limits = limits;
    this.ring = new EventRing(limits.ring);
  }

  /** Open subscriptions. */
  get subscribers(): number {
    let count = 0;
    for (const { subscribers } of this.#audiences.values()) count += subscribers.size;
    return count;
  }

  /** Sends an event now. The namespace must have been checked. Throws invalid-argument. */
  publish(namespace: string, topic: string, event: Any | undefined): void {
    validateTopic(topic);
    if (event === undefined) throw classedError("invalid-argument", `publish on "${topic}": event must be set`);
    this.#deliver(new PublishedEvent({ timestamp: timestampNow(), namespace, topic, event }));
  }

  /** Passes on an event that has its time; `bytes` is it serialized, where it came so. Throws invalid-argument. */
  forward(envelope: EnvelopeParts, bytes?: Uint8Array): void {
    validateEnvelope(envelope);
    this.#deliver(new PublishedEvent(envelope, bytes));
  }

  /**
   * Every event from now on, of all namespaces, that one of the filters lets pass, as serialized envelopes; until
   * `signal` aborts. Throws unknown for a broken filter, as containerd does, and resource-exhausted when the reader
   * falls too far behind.
   */
  subscribe(filters: readonly string[], signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const key = JSON.stringify(filters);
    const audience = this.#audiences.get(key) ?? compileAudience(filters);
    this.#audiences.set(key, audience);
    const subscriber = new Subscriber(this.#limits.subscriber);
    audience.subscribers.add(subscriber);
    return this.#read(key, audience, subscriber, signal);
  }

  /** Ends every subscription, for a stop. */
  close(): void {
    const error = new HostError("unavailable", "the events package is stopping");
    for (const { subscribers } of this.#audiences.values()) for (const subscriber of subscribers) subscriber.end(error);
  }

  async *#read(
    key: string,
    audience: Audience,
    subscriber: Subscriber,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void, undefined> {
    const leave = () => this.#leave(key, audience, subscriber);
    // A reader that never comes back for the next event would not reach `finally`.
    signal.addEventListener("abort", leave, { once: true });
    try {
      yield* subscriber.read(signal);
    } finally {
      signal.removeEventListener("abort", leave);
      leave();
    }
  }

  #leave(key: string, audience: Audience, subscriber: Subscriber): void {
    audience.subscribers.delete(subscriber);
    if (audience.subscribers.size === 0 && this.#audiences.get(key) === audience) this.#audiences.delete(key);
  }

  #deliver(event: PublishedEvent): void {
    this.ring.push(event.bytes);
    const ofHost = event.topic.startsWith(hostTopics);
    for (const [key, audience] of this.#audiences) {
      const passes = ofHost ? audience.passesHostTopics : audience.passes;
      if (passes?.(event.adaptor) !== true) continue;
      for (const subscriber of audience.subscribers) {
        if (!subscriber.offer(event.bytes)) this.#leave(key, audience, subscriber);
      }
    }
  }
}

function compileAudience(filters: readonly string[]): Audience {
  try {
    const passes = compileFilters(filters);
    const naming = filters.filter(namesHostTopic);
    const passesHostTopics = naming.length === 0 ? undefined : compileFilters(naming);
    return { passes, passesHostTopics, subscribers: new Set() };
  } catch (error) {
    if (!isHostError(error, "invalid-argument")) throw error;
    const message = `subscription error: failed parsing subscription filters: ${error.message}`;
    throw new HostError("unknown", message, { cause: error });
  }
}

/** Whether a filter that compiles asks for topics of the host. */
function namesHostTopic(filter: string): boolean {
  if (filter === "") return false;
  return parseFilter(filter).some(
    ({ path, operator, value }) =>
      path[0] === "topic" && ((operator === "==" && value.startsWith(hostTopics)) || isAbout(operator, value)),
  );
}

/** A regular expression may begin with an anchor or escape its slashes. */
function isAbout(operator: string, value: string): boolean {
  return operator === "~=" && value.replaceAll("\\", "").includes(hostTopics);
}
