import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { clientOf } from "#rpc";
import { Relay } from "#proto/gen/bulkhead/events/v1/events_pb.ts";
import { Events as EventsService } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { EnvelopeSchema } from "#proto/gen/containerd/types/types_pb.ts";
import { packAny } from "#proto/wire/any.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Events, Log, Peers } from "./define-plugin.ts";

/** Events that wait while the events package is away; the oldest go first. */
export const spoolLimit = 10_000;
/** Events sent in one call. */
const batchLimit = 256;
/** Calls sent and not yet acknowledged. */
const inFlightLimit = 16;

interface SpooledEvent {
  /** Order of publishing. */
  readonly number: number;
  readonly namespace: string;
  readonly topic: string;
  /** A containerd.types.Envelope with the event's first timestamp. */
  readonly bytes: Uint8Array;
  readonly settle: () => void;
}

type Batch = readonly SpooledEvent[];

/**
 * Sends events in order over one connection: those of one turn of the loop in one call, several calls in flight.
 * While the events package is away they wait with their first timestamp, and publishing answers at once. Owns: the
 * waiting events and the loop that sends them.
 */
export class EventSpool implements Events, AsyncDisposable {
  readonly #peers: Peers;
  readonly #log: Log;
  readonly #stop = new AbortController();
  #waiting: SpooledEvent[] = [];
  #published = 0;
  #inFlight = 0;
  #scheduled = false;
  #away = false;
  #dropped = 0;

  constructor(peers: Peers, log: Log) {
    this.#peers = peers;
    this.#log = log;
  }

  publish<D extends DescMessage>(
    namespace: string,
    topic: string,
    schema: D,
    event: MessageInitShape<D>,
  ): Promise<void> {
    if (this.#peers.find(eventPlugin).length === 0) return Promise.resolve(); // nobody to tell: `events` is disabled
    const envelope = create(EnvelopeSchema, {
      namespace,
      topic,
      event: packAny(schema, event),
      timestamp: timestampNow(),
    });
    const bytes = toBinary(EnvelopeSchema, envelope);
    return new Promise((settle) => {
      if (this.#waiting.length >= spoolLimit) this.#dropOldest();
      this.#waiting.push({ number: this.#published++, namespace, topic, bytes, settle });
      if (this.#away) settle();
      else this.#schedule();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    return Promise.resolve();
  }

  #dropOldest(): void {
    this.#waiting.shift()?.settle();
    if (this.#dropped++ === 0) this.#log.warn("events dropped", { limit: spoolLimit });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#inFlight < inFlightLimit && !this.#away) {
      void this.#send(this.#waiting.splice(0, batchLimit)); // never rejects: failures go back to the spool
    }
  }

  async #send(batch: Batch): Promise<void> {
    this.#inFlight++;
    try {
      await this.#forward(batch, false);
    } catch (error) {
      if (isHostError(error, "unavailable")) this.#park(batch);
      else for (const event of batch) this.#refused(event, String(error));
    } finally {
      for (const { settle } of batch) settle();
      this.#inFlight--;
      this.#pump();
    }
  }

  /** Back to where they were; one probe waits for the package, then all follow in order. */
  #park(batch: Batch): void {
    this.#waiting = [...batch, ...this.#waiting].sort((one, other) => one.number - other.number);
    while (this.#waiting.length > spoolLimit) this.#dropOldest();
    for (const { settle } of this.#waiting) settle();
    if (this.#away) return;
    this.#away = true;
    void this.#probe();
  }

  async #probe(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const head = this.#waiting[0];
      if (head === undefined) break;
      try {
        await this.#forward([head], true);
        if (this.#waiting[0] === head) this.#waiting.shift();
        break;
      } catch (error) {
        if (isHostError(error, "unavailable")) continue;
        this.#refused(head, String(error));
        if (this.#waiting[0] === head) this.#waiting.shift();
      }
    }
    this.#away = false;
    this.#pump();
  }

  async #forward(batch: Batch, waitForReady: boolean): Promise<void> {
    const options = { waitForReady, signal: this.#stop.signal };
    const channel = this.#peers.channel(eventPlugin);
    if (this.#peers.find(eventPlugin)[0]?.serves.includes(Relay.typeName) !== true) {
      const client = clientOf(EventsService, channel);
      await Promise.all(
        batch.map(({ bytes, namespace }) => {
          const metadata = { [metadataKeys.namespace]: namespace };
          return client.forward({ envelope: fromBinary(EnvelopeSchema, bytes) }, { ...options, metadata });
        }),
      );
      return;
    }
    const envelopes = batch.map(({ bytes }) => bytes);
    const { refused } = await clientOf(Relay, channel).forwardAll({ envelopes }, options);
    for (const { index, reason } of refused) {
      const event = batch[index];
      if (event !== undefined) this.#refused(event, reason);
    }
  }

  #refused({ topic }: SpooledEvent, error: string): void {
    this.#log.warn("event refused", { topic, error });
  }
}

const eventPlugin = "io.containerd.event.v1";
