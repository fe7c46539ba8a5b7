import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { HostError } from "bulkhead/plugin";
import {
  Events,
  ForwardRequestSchema,
  type ForwardRequest,
} from "#proto/gen/containerd/services/events/ttrpc/v1/events_pb.ts";
import type { Exchange } from "./exchange.ts";
import type { Repeats } from "./repeats.ts";
import { forwardEnvelope } from "./service.ts";
import type { TtrpcServices } from "./ttrpc-server.ts";

/** containerd.services.events.ttrpc.v1.Events, by which shims tell of their tasks. */
export function shimEvents(exchange: Exchange, repeats: Repeats): TtrpcServices {
  const empty = toBinary(EmptySchema, create(EmptySchema));
  return {
    [Events.typeName]: {
      [Events.method.forward.name]: (payload) => {
        forwardEnvelope(exchange, decode(payload).envelope, repeats);
        return empty;
      },
    },
  };
}

function decode(payload: Uint8Array): ForwardRequest {
  try {
    return fromBinary(ForwardRequestSchema, payload);
  } catch (cause) {
    const message = `ttrpc: error unmarshalling payload: ${(cause as Error).message}`;
    throw new HostError("internal", message, { cause });
  }
}
