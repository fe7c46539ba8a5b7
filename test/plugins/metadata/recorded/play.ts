import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescService,
  type JsonValue,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import type { Channel } from "#rpc";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { toHostError } from "#proto/wire/status.ts";
import { defaultDeadlineMs } from "../../../harness/deadline.ts";

const services: Readonly<Record<string, DescService>> = { Containers, Content, Images, Leases, Namespaces, Snapshots };

/** What a daemon answered: messages, then an end or an error, with times and made-up ids replaced. */
export interface Outcome {
  readonly answers: readonly JsonValue[];
  readonly error?: { readonly kind: string; readonly message: string };
}

/** One call of a recording; requests are base64 of the wire form, since JSON has no way to say every message. */
export interface RecordedCase {
  readonly service: string;
  readonly method: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly requests: readonly string[];
  readonly outcome: Outcome;
}

/** The calls of a recording with the answers of containerd 1.6.20, in order; later ones depend on earlier ones. */
export function readRecording(name: string, folder = import.meta.dirname): RecordedCase[] {
  const text = readFileSync(join(folder, `${name}.jsonl`), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as RecordedCase);
}

/** A request in the form of a recording. */
export function toWire<D extends DescMessage>(schema: D, request: MessageInitShape<D>): string {
  return Buffer.from(toBinary(schema, create(schema, request))).toString("base64");
}

/** A title that tells the call. */
export function describe({ service, method, metadata, requests }: RecordedCase): string {
  const { input } = methodOf(service, method);
  const shown = requests.map((request) => JSON.stringify(normalize(input, bytesOf(request))));
  const namespace = Object.values(metadata).join(" with lease ");
  return `${service}.${method}(${shown.join(", ").slice(0, 150)}) in ${JSON.stringify(namespace)}`;
}

/** Makes a call; in streams each request waits for the answer to the one before. */
export async function playCase(
  channel: Channel,
  { service, method, metadata, requests }: Omit<RecordedCase, "outcome">,
): Promise<{ outcome: Outcome }> {
  const descriptor = methodOf(service, method);
  const answers: JsonValue[] = [];
  let turn = Promise.withResolvers<void>();
  async function* send(): AsyncGenerator<Buffer> {
    for (const request of requests) {
      yield bytesOf(request);
      await turn.promise;
    }
  }
  const path = `/${descriptor.parent.typeName}/${descriptor.name}`;
  const options = { metadata, deadlineMs: Date.now() + defaultDeadlineMs };
  try {
    const isStream = descriptor.methodKind === "bidi_streaming";
    for await (const answer of channel.raw(path, isStream ? send() : requests.map(bytesOf), options)) {
      answers.push(normalize(descriptor.output, answer));
      turn.resolve();
      turn = Promise.withResolvers<void>();
    }
    return { outcome: { answers } };
  } catch (thrown) {
    const { kind, message } = toHostError(thrown);
    return { outcome: { answers, error: { kind, message } } };
  }
}

function bytesOf(request: string): Buffer {
  return Buffer.from(request, "base64");
}

function methodOf(service: string, method: string): DescMethod {
  const found = services[service]?.methods.find(({ localName }) => localName === method);
  if (found === undefined) throw new Error(`no method ${service}.${method}`);
  return found;
}

function normalize(schema: DescMessage, answer: Uint8Array): JsonValue {
  const message = fromBinary(schema, answer);
  // Any values of the recordings are no real messages, so JSON would refuse them.
  const json = JSON.stringify(message, (key, value: unknown) => {
    if (key === "$typeName") return undefined;
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
    if (isTimestamp(value)) return value.seconds < 0n ? "no time" : "time";
    if (isMap(value)) return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
    return value;
  });
  return JSON.parse(json.replace(/\d{1,9}-[A-Za-z0-9_-]{4}"/g, 'made-up"')) as JsonValue;
}

function isTimestamp(value: unknown): value is { readonly seconds: bigint } {
  return (value as { $typeName?: unknown } | null)?.$typeName === "google.protobuf.Timestamp";
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !("$typeName" in value);
}
