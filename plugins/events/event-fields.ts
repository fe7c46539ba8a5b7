import { createRegistry, fromBinary, ScalarType, type DescField, type Message } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import type { Any } from "@bufbuild/protobuf/wkt";
import { file_bulkhead_events_v1_plugin } from "#proto/gen/bulkhead/events/v1/plugin_pb.ts";
import { file_containerd_events_events } from "#proto/gen/containerd/events/events_pb.ts";
import {
  ImageCreateSchema,
  ImageDeleteSchema,
  ImageUpdateSchema,
} from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { typeNameOf } from "#proto/wire/any.ts";
import { filterField, type FilterAdaptor } from "#proto/wire/filters.ts";

/** Events whose fields filters may name; others are known by namespace and topic alone. */
const known = createRegistry(
  file_containerd_events_events,
  file_bulkhead_events_v1_plugin,
  ImageCreateSchema,
  ImageUpdateSchema,
  ImageDeleteSchema,
);

const absent: FilterAdaptor = () => filterField(undefined);

/**
 * The fields of an event by their proto names, as containerd's generated Field methods give them: strings (present
 * when not empty), booleans, entries of string maps, and the same of nested containerd messages. Numbers, lists,
 * times and Any are never present.
 */
export function eventFields(event: Any | undefined): FilterAdaptor {
  const schema = event && known.getMessage(typeNameOf(event.typeUrl));
  if (schema === undefined) return absent;
  let message: Message;
  try {
    message = fromBinary(schema, event?.value ?? new Uint8Array());
  } catch {
    return absent; // malformed, as unknown as any other
  }
  const root = reflect(schema, message);
  return (path) => filterField(fieldOf(root, path));
}

function fieldOf(message: ReflectMessage, [name, ...rest]: readonly string[]): string | undefined {
  const field = message.fields.find((candidate) => candidate.name === name);
  return field === undefined ? undefined : valueOf(message, field, rest);
}

function valueOf(message: ReflectMessage, field: DescField, rest: readonly string[]): string | undefined {
  switch (field.fieldKind) {
    case "scalar": {
      const value: unknown = message.get(field);
      if (field.scalar === ScalarType.BOOL) return String(value);
      return typeof value === "string" && value !== "" ? value : undefined;
    }
    case "map": {
      const value: unknown = message.get(field).get(rest.join("."));
      return typeof value === "string" ? value : undefined;
    }
    case "message":
      if (!field.message.typeName.startsWith("containerd.") || !message.isSet(field)) return undefined;
      return fieldOf(message.get(field), rest);
    case "list":
    case "enum":
      return undefined;
  }
}
