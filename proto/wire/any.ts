import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { AnySchema, type Any } from "@bufbuild/protobuf/wkt";

const prefix = "type.googleapis.com/";

/** The message name in a type URL, with or without the usual prefix; containerd writes it bare. */
export function typeNameOf(typeUrl: string): string {
  return typeUrl.startsWith(prefix) ? typeUrl.slice(prefix.length) : typeUrl;
}

/** Packs a message under its bare name, as containerd does. */
export function packAny<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Any {
  return create(AnySchema, { typeUrl: schema.typeName, value: toBinary(schema, create(schema, message)) });
}

/** The message in `any` when its type is `schema`'s, else undefined. Throws on malformed bytes. */
export function unpackAny<D extends DescMessage>(schema: D, any: Any): MessageShape<D> | undefined {
  return typeNameOf(any.typeUrl) === schema.typeName ? fromBinary(schema, any.value) : undefined;
}
