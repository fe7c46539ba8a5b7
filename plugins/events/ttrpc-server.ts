import { createServer, type Server, type Socket } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { HostError, type Log } from "bulkhead/plugin";
import { peerCredentials } from "#linux";
import { StatusSchema } from "#proto/gen/google/rpc/status_pb.ts";
import { RequestSchema, ResponseSchema, type Request } from "#proto/gen/ttrpc/ttrpc_pb.ts";
import { codeOf, toHostError } from "#proto/wire/status.ts";
import {
  encodeTtrpcFrame,
  TtrpcFrameReader,
  ttrpcFrameTypes,
  ttrpcPayloadLimitBytes,
  type OversizedFrame,
  type TtrpcFrame,
} from "#proto/ttrpc/frames.ts";

/** Connections at a time; more are closed at once. */
const connectionLimit = 10_000;

/** A method: payload in, payload out. Throws HostError; anything else is answered as unknown. */
export type TtrpcMethod = (payload: Uint8Array) => Uint8Array;

/** Methods by bare name, by full service name. */
export type TtrpcServices = Readonly<Record<string, Readonly<Record<string, TtrpcMethod>>>>;

/**
 * Serves unary ttrpc methods (containerd/ttrpc server.go) that answer at once. Callers of another user or group are
 * turned away. A peer that does not read its answers is not read from. Owns: its server and connections.
 */
export class TtrpcServer implements AsyncDisposable {
  readonly #services: TtrpcServices;
  readonly #log: Log;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  constructor(services: TtrpcServices, log: Log) {
    this.#services = services;
    this.#log = log;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = connectionLimit;
  }

  /** Accepts on a listening unix socket, whose descriptor it owns from now on. */
  async listen(target: { readonly fd: number }): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(target, () => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) => this.#log.warn("ttrpc accept failed", { error: error.message }));
        resolve();
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    socket.on("error", () => {}); // `close` follows; the peer has its own troubles
    const refusal = refusalOf(socket);
    if (refusal !== undefined) {
      this.#log.warn("ttrpc connection refused", { reason: refusal });
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
    const frames = new TtrpcFrameReader();
    socket.on("data", (chunk) => {
      for (const frame of frames.push(chunk)) {
        if (frame.type === ttrpcFrameTypes.request) this.#answer(socket, frame);
      }
      if (!socket.writableNeedDrain) return;
      socket.pause();
      socket.once("drain", () => socket.resume());
    });
  }

  #answer(socket: Socket, frame: TtrpcFrame | OversizedFrame): void {
    const { streamId } = frame;
    const payload = this.#respond(frame);
    socket.write(encodeTtrpcFrame({ streamId, type: ttrpcFrameTypes.response, payload }));
  }

  /** A serialized Response; empty for success with an empty message. */
  #respond(frame: TtrpcFrame | OversizedFrame): Uint8Array {
    try {
      return toBinary(ResponseSchema, create(ResponseSchema, { payload: this.#serve(frame) }));
    } catch (thrown) {
      const error = toHostError(thrown);
      if (!(thrown instanceof HostError)) this.#log.error("ttrpc method failed", { error: thrown });
      const status = create(StatusSchema, { code: codeOf(error.kind), message: error.message });
      return toBinary(ResponseSchema, create(ResponseSchema, { status }));
    }
  }

  #serve(frame: TtrpcFrame | OversizedFrame): Uint8Array {
    if (frame.payload === undefined) {
      const message = `message length ${frame.length} exceed maximum message size of ${ttrpcPayloadLimitBytes}`;
      throw new HostError("resource-exhausted", message);
    }
    if (frame.streamId % 2 !== 1) {
      throw new HostError("invalid-argument", "StreamID must be odd for client initiated streams");
    }
    const request = decodeRequest(frame.payload);
    const service = ownValue(this.#services, request.service);
    if (service === undefined) throw new HostError("unimplemented", `service ${request.service}`);
    const method = ownValue(service, request.method);
    if (method === undefined) throw new HostError("unimplemented", `method ${request.method}`);
    return method(request.payload);
  }
}

function decodeRequest(payload: Uint8Array): Request {
  try {
    return fromBinary(RequestSchema, payload);
  } catch (cause) {
    throw new HostError("invalid-argument", `unmarshal request error: ${(cause as Error).message}`, { cause });
  }
}

/** Names come from the peer: `toString` is no service. */
function ownValue<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Why a connection may not be served; undefined: it may. */
function refusalOf(socket: Socket): string | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return "its descriptor is not known";
  const { uid, gid } = peerCredentials(fd);
  if (uid === process.geteuid?.() && gid === process.getegid?.()) return undefined;
  return `the caller has uid ${uid} and gid ${gid}`;
}

/** Node shows a socket's descriptor nowhere else. */
function descriptorOf(socket: Socket): number | undefined {
  const handle = (socket as unknown as { readonly _handle: { readonly fd?: number } | null })._handle;
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}
