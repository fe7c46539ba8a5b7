import { fromBinary } from "@bufbuild/protobuf";
import { implement, isHostError, type Service } from "bulkhead/plugin";
import { Relay } from "#proto/gen/bulkhead/events/v1/events_pb.ts";
import { EnvelopeSchema } from "#proto/gen/containerd/types/types_pb.ts";
import { zeroTimestamp } from "#proto/wire/timestamp.ts";
import type { Exchange } from "./exchange.ts";
import type { Repeats } from "./repeats.ts";

/** bulkhead.events.v1.Relay over the exchange: what a package sent again is dropped, as for Forward. */
export function relayService(exchange: Exchange, repeats: Repeats): Service {
  return implement(Relay, {
    forwardAll: ({ envelopes }) => ({
      refused: envelopes.flatMap((bytes, index) => {
        const reason = forwardBytes(exchange, repeats, bytes);
        return reason === undefined ? [] : [{ index, reason }];
      }),
    }),
  });
}

/** Gives why an envelope is refused; undefined: it was passed on, or had been before. */
function forwardBytes(exchange: Exchange, repeats: Repeats, bytes: Uint8Array): string | undefined {
  if (repeats.isRepeat(bytes)) return undefined;
  try {
    // What subscribers and the ring keep must not alias the request, whose other envelopes would be kept with it.
    const own = Uint8Array.from(bytes);
    const { namespace, topic, event, timestamp = zeroTimestamp() } = fromBinary(EnvelopeSchema, own);
    exchange.forward({ namespace, topic, event, timestamp }, own);
    return undefined;
  } catch (error) {
    if (isHostError(error)) return error.message;
    return `not a containerd.types.Envelope: ${(error as Error).message}`;
  }
}
