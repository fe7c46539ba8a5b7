import { createRegistry, fromBinary, toJson, type JsonValue } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { file_bulkhead_events_v1_plugin } from "#proto/gen/bulkhead/events/v1/plugin_pb.ts";
import { file_containerd_events_events } from "#proto/gen/containerd/events/events_pb.ts";
import { file_containerd_services_images_v1_images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import type { Envelope } from "#proto/gen/containerd/types/types_pb.ts";
import { typeNameOf } from "#proto/wire/any.ts";
import { goTime, isoTime } from "./time-text.ts";

/** Image events live in the images service's package (api.json, eventTopics). */
const eventTypes = createRegistry(
  file_containerd_events_events,
  file_containerd_services_images_v1_images,
  file_bulkhead_events_v1_plugin,
);

/** An event on one line as `ctr events` prints it: time, namespace, topic, payload as JSON. */
export function eventLine({ timestamp, namespace, topic, event }: Envelope): string {
  return `${goTime(timestamp)} ${namespace} ${topic} ${JSON.stringify(payloadOf(event))}\n`;
}

/** An event for programs. */
export function eventJson({ timestamp, namespace, topic, event }: Envelope): Record<string, unknown> {
  const type = event === undefined ? "" : typeNameOf(event.typeUrl);
  return { timestamp: isoTime(timestamp), namespace, topic, type, event: payloadOf(event) };
}

/** Proto field names, as containerd's JSON has them. A type we do not know, or broken bytes, are shown as base64. */
function payloadOf(event: Any | undefined): JsonValue {
  if (event === undefined) return {};
  const schema = eventTypes.getMessage(typeNameOf(event.typeUrl));
  const raw = { type_url: event.typeUrl, value: Buffer.from(event.value).toString("base64") };
  if (schema === undefined) return raw;
  try {
    return toJson(schema, fromBinary(schema, event.value), { useProtoFieldName: true, registry: eventTypes });
  } catch {
    return raw;
  }
}
