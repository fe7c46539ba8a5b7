import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";

const identity = { serialize: (value: Buffer): Buffer => value, deserialize: (bytes: Buffer): Buffer => bytes };
const shape = {
  requestSerialize: identity.serialize,
  requestDeserialize: identity.deserialize,
  responseSerialize: identity.serialize,
  responseDeserialize: identity.deserialize,
};

/** Methods of all four kinds over raw bytes, under the service name `service`. */
export function echoDefinition(service: string) {
  const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
    path: `/${service}/${name}`,
    requestStream,
    responseStream,
    ...shape,
  });
  return {
    Unary: method("Unary", false, false),
    ClientStream: method("ClientStream", true, false),
    ServerStream: method("ServerStream", false, true),
    Bidi: method("Bidi", true, true),
  };
}

/** A gRPC server of a library that is not ours, which echoes. Owns: the server. */
export class EchoServer implements AsyncDisposable {
  readonly server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  /** Metadata of the calls so far. */
  readonly metadata: grpc.Metadata[] = [];
  /** Calls that the client cancelled. */
  cancelled = 0;

  static async listen(
    socket: string,
    service: string,
    handlers: Partial<grpc.UntypedServiceImplementation> = {},
  ): Promise<EchoServer> {
    const echo = new EchoServer();
    echo.server.addService(echoDefinition(service), {
      ...echo.#handlers(),
      ...handlers,
    } as grpc.UntypedServiceImplementation);
    await new Promise<void>((resolve, reject) => {
      echo.server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    return echo;
  }

  #handlers(): grpc.UntypedServiceImplementation {
    return {
      Unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        this.metadata.push(call.metadata);
        done(null, call.request);
      },
      ClientStream: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        let bytes = 0;
        call.on("data", (chunk: Buffer) => (bytes += chunk.length));
        call.on("end", () => done(null, Buffer.from(String(bytes))));
        call.on("cancelled", () => this.cancelled++);
      },
      ServerStream: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        const [count = 0, size = 0] = call.request.toString().split("x").map(Number);
        void this.#pour(call, count, size);
      },
      Bidi: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        this.metadata.push(call.metadata);
        call.on("data", (chunk: Buffer) => call.write(chunk));
        call.on("end", () => call.end());
        call.on("cancelled", () => this.cancelled++);
      },
    };
  }

  /** Ends when the client has taken all, or is gone. */
  async #pour(call: grpc.ServerWritableStream<Buffer, Buffer>, count: number, size: number): Promise<void> {
    for (let sent = 0; sent < count && !call.cancelled; sent++) {
      if (!call.write(Buffer.alloc(size, sent))) await drained(call);
    }
    call.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.forceShutdown();
    await Promise.resolve();
  }
}

/** A client of that service at `socket`, with a connection that it shares with no other. The caller closes it. */
export function echoClient(socket: string, service: string, options: grpc.ClientOptions = {}) {
  const Client = grpc.makeGenericClientConstructor(echoDefinition(service), service);
  return new Client(`unix:${socket}`, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": 1,
    ...options,
  }) as unknown as EchoClient;
}

/** What the generic client looks like. */
export interface EchoClient {
  Unary(
    request: Buffer,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    done: (error: grpc.ServiceError | null, answer?: Buffer) => void,
  ): grpc.ClientUnaryCall;
  ClientStream(done: (error: grpc.ServiceError | null, answer?: Buffer) => void): grpc.ClientWritableStream<Buffer>;
  ServerStream(request: Buffer): grpc.ClientReadableStream<Buffer>;
  Bidi(metadata?: grpc.Metadata): grpc.ClientDuplexStream<Buffer, Buffer>;
  close(): void;
}

/** One unary call; rejects with the status. */
export async function unary(
  client: EchoClient,
  request: Buffer,
  metadata: Readonly<Record<string, string>> = {},
  options: grpc.CallOptions = {},
): Promise<Buffer> {
  const all = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata)) all.set(name, value);
  return new Promise((resolve, reject) => {
    client.Unary(request, all, options, (error, answer) =>
      error === null ? resolve(answer ?? Buffer.alloc(0)) : reject(error),
    );
  });
}

async function drained(call: grpc.ServerWritableStream<Buffer, Buffer>): Promise<void> {
  const stop = new AbortController();
  const events = ["drain", "cancelled"].map(async (name) => once(call, name, { signal: stop.signal }));
  await Promise.race(events);
  stop.abort();
  await Promise.allSettled(events);
}
