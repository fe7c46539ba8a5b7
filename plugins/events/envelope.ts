import { create, toBinary } from "@bufbuild/protobuf";
import type { Any, Timestamp } from "@bufbuild/protobuf/wkt";
import { classedError } from "bulkhead/plugin";
import { EnvelopeSchema } from "#proto/gen/containerd/types/types_pb.ts";
import { filterField, type FilterAdaptor } from "#proto/wire/filters.ts";
import { identifierProblem } from "#proto/wire/identifiers.ts";
import { nanosOf, zeroTimeSeconds } from "#proto/wire/timestamp.ts";
import { eventFields } from "./event-fields.ts";

/** What an event carries. */
export interface EnvelopeParts {
  readonly timestamp: Timestamp;
  readonly namespace: string;
  /** `/part/part`. */
  readonly topic: string;
  /** Any bytes pass unchanged. */
  readonly event: Any | undefined;
}

/** An event on its way to subscribers; serialized and read for filters once, whoever asks. */
export class PublishedEvent {
  readonly topic: string;
  readonly namespace: string;
  readonly #event: Any | undefined;
  /** A containerd.types.Envelope. */
  readonly bytes: Buffer;
  #fields: FilterAdaptor | undefined;

  /** `bytes`: the parts as they came, serialized. */
  constructor(parts: EnvelopeParts, bytes: Uint8Array = encodeEnvelope(parts)) {
    this.topic = parts.topic;
    this.namespace = parts.namespace;
    this.#event = parts.event;
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** What filters see: namespace, topic, event.<field>. */
  readonly adaptor: FilterAdaptor = (path) => {
    const [first, ...rest] = path;
    switch (first) {
      case "namespace":
        return filterField(this.namespace === "" ? undefined : this.namespace);
      case "topic":
        return filterField(this.topic === "" ? undefined : this.topic);
      case "event":
        this.#fields ??= eventFields(this.#event);
        return this.#fields(rest);
      default:
        return filterField(undefined);
    }
  };
}

function encodeEnvelope({ timestamp, namespace, topic, event }: EnvelopeParts): Uint8Array {
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { timestamp, namespace, topic, ...(event && { event }) }));
}

/** Checks a topic as containerd's exchange does. Throws invalid-argument. */
export function validateTopic(topic: string): void {
  const problem = topicProblem(topic);
  if (problem !== undefined) throw classedError("invalid-argument", `envelope topic "${topic}": ${problem}`);
}

/** Checks a forwarded envelope as containerd's exchange does. Throws invalid-argument. */
export function validateEnvelope(parts: EnvelopeParts): void {
  const problem = identifierProblem(parts.namespace);
  if (problem !== undefined) throw classedError("invalid-argument", `event envelope has invalid namespace: ${problem}`);
  validateTopic(parts.topic);
  if (nanosOf(parts.timestamp) === zeroTimeSeconds * 1_000_000_000n) {
    throw classedError("invalid-argument", "timestamp must be set on forwarded event");
  }
}

function topicProblem(topic: string): string | undefined {
  if (topic === "") return "must not be empty";
  if (!topic.startsWith("/")) return "must start with '/'";
  if (topic.length === 1) return "must have at least one component";
  for (const part of topic.slice(1).split("/")) {
    const problem = identifierProblem(part);
    if (problem !== undefined) return `failed validation on component "${part}": ${problem}`;
  }
  return undefined;
}
