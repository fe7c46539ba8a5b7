import {
  ScalarType,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescService,
} from "@bufbuild/protobuf";
import { FieldDescriptorProto_Label } from "@bufbuild/protobuf/wkt";

/** Everything some files define, written the way `api-facts.json` writes it. */
export interface Described {
  readonly services: Record<string, readonly string[]>;
  readonly messages: Record<string, readonly string[]>;
  readonly enums: Record<string, readonly string[]>;
}

export function describeFiles(files: readonly DescFile[]): Described {
  const described: Described = { services: {}, messages: {}, enums: {} };
  for (const file of files) {
    for (const service of file.services) described.services[service.typeName] = service.methods.map(describeMethod);
    for (const message of file.messages) describeMessage(message, described);
    for (const enumeration of file.enums) described.enums[enumeration.typeName] = describeEnum(enumeration);
  }
  return described;
}

function describeMessage(message: DescMessage, described: Described): void {
  described.messages[message.typeName] = message.fields.map(describeField).toSorted(byNumber);
  for (const nested of message.nestedMessages) describeMessage(nested, described);
  for (const nested of message.nestedEnums) described.enums[nested.typeName] = describeEnum(nested);
}

function describeEnum(enumeration: DescEnum): string[] {
  return enumeration.values.map((value) => `${value.number} ${value.name}`);
}

function describeMethod(method: DescService["methods"][number]): string {
  const requestStream = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  const responseStream = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  const request = `${requestStream ? "stream " : ""}${method.input.typeName}`;
  return `${method.name}(${request}) returns (${responseStream ? "stream " : ""}${method.output.typeName})`;
}

function describeField(field: DescField): string {
  const label = field.fieldKind === "list" ? "repeated " : isOptional(field) ? "optional " : "";
  const oneof = field.oneof === undefined ? "" : ` in ${field.oneof.name}`;
  return `${field.number} ${field.name} ${label}${typeOf(field)}${oneof}`;
}

function isOptional(field: DescField): boolean {
  return field.proto.proto3Optional && field.proto.label === FieldDescriptorProto_Label.OPTIONAL;
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case "scalar":
      return scalarName(field.scalar);
    case "enum":
      return field.enum.typeName;
    case "message":
      return field.message.typeName;
    case "list":
      return elementOf(field.listKind, field);
    case "map":
      return `map<${scalarName(field.mapKey)}, ${elementOf(field.mapKind, field)}>`;
  }
}

function elementOf(kind: "scalar" | "enum" | "message", field: DescField): string {
  if (kind === "scalar" && field.scalar !== undefined) return scalarName(field.scalar);
  return field.message?.typeName ?? field.enum?.typeName ?? "unknown";
}

function scalarName(scalar: ScalarType): string {
  return (ScalarType[scalar] ?? "unknown").toLowerCase();
}

function byNumber(one: string, other: string): number {
  return Number.parseInt(one, 10) - Number.parseInt(other, 10);
}
