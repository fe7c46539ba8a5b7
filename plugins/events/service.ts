import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  classedError,
  HostError,
  implement,
  isHostError,
  withRaw,
  type CallContext,
  type Service,
} from "bulkhead/plugin";
import { Events, SubscribeRequestSchema } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { EnvelopeSchema, type Envelope } from "#proto/gen/containerd/types/types_pb.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import { zeroTimestamp } from "#proto/wire/timestamp.ts";
import type { Exchange } from "./exchange.ts";
import type { Repeats } from "./repeats.ts";

/** containerd.services.events.v1.Events over the exchange. */
export function eventsService(exchange: Exchange, repeats: Repeats): Service {
  const typed = implement(Events, {
    publish: ({ topic, event }, context) => {
      exchange.publish(publisherNamespace(context), topic, event);
      return {};
    },
    forward: ({ envelope }, context) => {
      forwardEnvelope(exchange, envelope, isClient(context) ? undefined : repeats);
      return {};
    },
  });
  return withRaw(typed, { Subscribe: (requests, context) => subscribe(exchange, requests, context) });
}

/**
 * Passes an envelope on. What `repeats` has seen before was sent again because an answer was lost, and is dropped.
 * Throws invalid-argument.
 */
export function forwardEnvelope(
  exchange: Exchange,
  envelope: Envelope | undefined,
  repeats: Repeats | undefined,
): void {
  if (envelope === undefined) throw classedError("invalid-argument", "forward an event: envelope must be set");
  const { namespace, topic, event, timestamp = zeroTimestamp() } = envelope;
  if (repeats?.isRepeat(toBinary(EnvelopeSchema, create(EnvelopeSchema, envelope))) === true) return;
  exchange.forward({ namespace, topic, event, timestamp });
}

/** Packages send again what was not answered; a client that forwards twice means it. */
function isClient(context: CallContext): boolean {
  return context.metadata[metadataKeys.caller]?.startsWith("uid:") ?? false;
}

function publisherNamespace({ metadata }: CallContext): string {
  try {
    return namespaceOf(metadata);
  } catch (error) {
    if (!isHostError(error)) throw error;
    throw new HostError(error.kind, `failed publishing event: ${error.message}`, { cause: error });
  }
}

/** Serialized envelopes out: each is encoded once for all who get it. */
async function* subscribe(
  exchange: Exchange,
  requests: AsyncIterable<Buffer>,
  { signal }: CallContext,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const bytes of requests) {
    const { filters } = fromBinary(SubscribeRequestSchema, bytes);
    yield* exchange.subscribe(filters, signal);
    return;
  }
  throw new HostError("internal", "the request has no message");
}
