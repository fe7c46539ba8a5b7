import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescService,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { HostError } from "#proto/wire/errors.ts";
import { EncodedMessage } from "./encoded-message.ts";
import type { CallContext, RawHandler, ServedMethod, Service, ServiceImpl } from "./types.ts";

type AnyHandler = (request: unknown, context: CallContext) => unknown;

/**
 * A service from its descriptor and handlers. Handlers take messages and answer messages or their init objects.
 * Decoded `bytes` fields alias the received frame: copy what outlives the call.
 */
export function implement<S extends DescService>(descriptor: S, handlers: ServiceImpl<S>): Service {
  const methods = new Map<string, ServedMethod>();
  for (const method of descriptor.methods) {
    const handler = (handlers as Record<string, AnyHandler | undefined>)[method.localName];
    methods.set(method.name, serveMethod(method, handler?.bind(handlers) ?? unknownMethod(descriptor, method)));
  }
  return { name: descriptor.typeName, descriptor, methods };
}

/** Answers as grpc-go does. */
function unknownMethod(service: DescService, method: DescMethod): AnyHandler {
  return () => {
    throw new HostError("unimplemented", `unknown method ${method.name} for service ${service.typeName}`);
  };
}

/** A service over serialized messages, by bare method name; for relays that must not decode. */
export function implementRaw(name: string, handlers: Readonly<Record<string, RawHandler>>): Service {
  const methods = new Map<string, ServedMethod>();
  for (const [method, handle] of Object.entries(handlers)) {
    methods.set(method, { requestStream: true, responseStream: true, handle, unary: undefined });
  }
  return { name, descriptor: undefined, methods };
}

/** A copy of `service` in which some methods work on serialized messages; the rest and the descriptor stay. */
export function withRaw(service: Service, handlers: Readonly<Record<string, RawHandler>>): Service {
  const raw = implementRaw(service.name, handlers);
  return { ...service, methods: new Map([...service.methods, ...raw.methods]) };
}

function serveMethod(method: DescMethod, handler: AnyHandler): ServedMethod {
  const decode = (bytes: Uint8Array) => decodeRequest(method.input, bytes);
  const encode = (message: unknown) => encodeMessage(method.output, message);
  switch (method.methodKind) {
    case "unary": {
      const unary = async (request: Buffer, context: CallContext) => encode(await handler(decode(request), context));
      return { requestStream: false, responseStream: false, unary, handle: iterateUnary(unary) };
    }
    case "server_streaming":
      return {
        requestStream: false,
        responseStream: true,
        unary: undefined,
        handle: async function* (requests, context) {
          const answers = handler(decode(await onlyMessage(requests)), context) as AsyncIterable<unknown>;
          for await (const answer of answers) yield encode(answer);
        },
      };
    case "client_streaming":
      return {
        requestStream: true,
        responseStream: false,
        unary: undefined,
        handle: async function* (requests, context) {
          yield encode(await handler(decodeAll(requests, decode), context));
        },
      };
    case "bidi_streaming":
      return {
        requestStream: true,
        responseStream: true,
        unary: undefined,
        handle: async function* (requests, context) {
          const answers = handler(decodeAll(requests, decode), context) as AsyncIterable<unknown>;
          for await (const answer of answers) yield encode(answer);
        },
      };
  }
}

function iterateUnary(unary: (request: Buffer, context: CallContext) => Promise<Uint8Array>): RawHandler {
  return async function* (requests, context) {
    yield await unary(await onlyMessage(requests), context);
  };
}

async function* decodeAll(
  requests: AsyncIterable<Buffer>,
  decode: (bytes: Uint8Array) => Message,
): AsyncIterable<Message> {
  for await (const request of requests) yield decode(request);
}

async function onlyMessage(requests: AsyncIterable<Buffer>): Promise<Buffer> {
  for await (const request of requests) return request;
  throw new HostError("internal", "the request has no message");
}

function decodeRequest(schema: DescMessage, bytes: Uint8Array): Message {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new HostError("internal", `decode ${schema.typeName}: ${(cause as Error).message}`, { cause });
  }
}

/** Serializes a message or init object, unless it is so already; a Buffer view, which grpc-js insists on. */
export function encodeMessage(schema: DescMessage, message: unknown): Buffer {
  if (message instanceof EncodedMessage) return message.bytes;
  const bytes = toBinary(schema, create(schema, message as MessageInitShape<DescMessage>));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
