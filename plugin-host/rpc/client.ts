import { fromBinary, type DescMessage, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import { HostError } from "#proto/wire/errors.ts";
import { encodeMessage } from "./implement.ts";
import type { CallOptions, Channel, Client } from "./types.ts";

/** Made once for each channel: callers ask anew for every call. */
const clients = new WeakMap<Channel, Map<DescService, unknown>>();

/** Typed client of a service over a channel; every rejection is a HostError. */
export function clientOf<S extends DescService>(service: S, channel: Channel): Client<S> {
  const known = clients.get(channel)?.get(service) as Client<S> | undefined;
  if (known !== undefined) return known;
  const ofChannel = clients.get(channel) ?? new Map<DescService, unknown>();
  const client = makeClient(service, channel);
  clients.set(channel, ofChannel.set(service, client));
  return client;
}

function makeClient<S extends DescService>(service: S, channel: Channel): Client<S> {
  const client: Record<string, unknown> = {};
  for (const method of service.methods) client[method.localName] = clientMethod(service, method, channel);
  return client as Client<S>;
}

function clientMethod(service: DescService, method: DescMethod, channel: Channel): unknown {
  const path = `/${service.typeName}/${method.name}`;
  const encode = (message: unknown) => encodeMessage(method.input, message);
  const decode = (bytes: Buffer) => decodeAnswer(path, method.output, bytes);
  const encodeAll = async function* (messages: AsyncIterable<unknown>) {
    for await (const message of messages) yield encode(message);
  };
  switch (method.methodKind) {
    case "unary":
      return async (request: unknown, options?: CallOptions) =>
        decode(await channel.unary(path, encode(request), options));
    case "server_streaming":
      return async function* (request: unknown, options?: CallOptions) {
        for await (const answer of channel.raw(path, [encode(request)], options)) yield decode(answer);
      };
    case "client_streaming":
      return async (requests: AsyncIterable<unknown>, options?: CallOptions) => {
        for await (const answer of channel.raw(path, encodeAll(requests), options)) return decode(answer);
        throw new HostError("internal", `${path}: no answer`);
      };
    case "bidi_streaming":
      return async function* (requests: AsyncIterable<unknown>, options?: CallOptions) {
        for await (const answer of channel.raw(path, encodeAll(requests), options)) yield decode(answer);
      };
  }
}

function decodeAnswer(path: string, schema: DescMessage, bytes: Buffer): Message {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new HostError("internal", `${path}: decode ${schema.typeName}: ${(cause as Error).message}`, { cause });
  }
}
