import { Client as GrpcClient, credentials, type ClientDuplexStream, type ServiceError } from "@grpc/grpc-js";
import { HostError } from "#proto/wire/errors.ts";
import { MessageQueue } from "./message-queue.ts";
import { errorOfStatus, fromGrpcMetadata, toGrpcMetadata } from "./metadata.ts";
import type { CallOptions, Channel, ConnectOptions } from "../types.ts";

const identity = (bytes: Buffer): Buffer => bytes;

/** A channel to a gRPC target (`unix:/path` or a plain absolute path). Connects at the first call. */
export function connectGrpcJs(target: string, options: ConnectOptions = {}): Channel {
  return new GrpcJsChannel(target.startsWith("/") ? `unix:${target}` : target, options);
}

/** Owns: a grpc-js client with a connection of its own. */
class GrpcJsChannel implements Channel {
  readonly target: string;
  readonly #client: GrpcClient;
  readonly #waitForReady: boolean;

  constructor(target: string, options: ConnectOptions) {
    this.target = target;
    this.#waitForReady = options.waitForReady ?? false;
    const bytes = options.maxMessageBytes ?? 16 * 1024 * 1024;
    this.#client = new GrpcClient(target, credentials.createInsecure(), {
      "grpc.max_receive_message_length": bytes,
      "grpc.max_send_message_length": bytes,
      "grpc.initial_reconnect_backoff_ms": 20,
      "grpc.min_reconnect_backoff_ms": 20,
      "grpc.max_reconnect_backoff_ms": 1000,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.service_config_disable_resolution": 1,
    });
  }

  unary(method: string, request: Uint8Array, options: CallOptions = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const answered = (error: ServiceError | null, response?: Buffer): void => {
        options.signal?.removeEventListener("abort", cancel);
        if (error === null && response !== undefined) resolve(response);
        else
          reject(error === null ? new HostError("internal", `${method}: no answer`) : failureOf(error, options.signal));
      };
      const call = this.#client.makeUnaryRequest(
        method,
        identity,
        identity,
        asBuffer(request),
        this.#metadata(options),
        grpcOptions(options),
        answered,
      );
      const cancel = (): void => call.cancel();
      if (options.onMetadata !== undefined) {
        call.on("metadata", (metadata) => options.onMetadata?.(fromGrpcMetadata(metadata)));
        call.on("status", (status) => options.onMetadata?.(fromGrpcMetadata(status.metadata)));
      }
      if (options.signal?.aborted === true) call.cancel();
      else options.signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  async *raw(
    method: string,
    requests: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): AsyncGenerator<Buffer> {
    const call = this.#client.makeBidiStreamRequest(
      method,
      identity,
      identity,
      this.#metadata(options),
      grpcOptions(options),
    );
    let failure: Error | undefined;
    const queue = new MessageQueue(call, () => failure);
    call.on("error", (error: ServiceError) => {
      failure ??= failureOf(error, options.signal);
      queue.wake();
    });
    if (options.onMetadata !== undefined) {
      call.on("metadata", (metadata) => options.onMetadata?.(fromGrpcMetadata(metadata)));
      call.on("status", (status) => options.onMetadata?.(fromGrpcMetadata(status.metadata)));
    }
    const ended = new Promise<void>((resolve) => call.on("status", () => resolve()));
    const cancel = (): void => call.cancel();
    if (options.signal?.aborted === true) call.cancel();
    else options.signal?.addEventListener("abort", cancel, { once: true });
    const sending = send(call, requests, ended).catch((error: unknown) => {
      failure ??= error instanceof Error ? error : new HostError("unknown", String(error));
      call.cancel();
      queue.wake();
    });
    try {
      yield* queue;
      await ended;
      if (failure !== undefined) throw failure;
    } finally {
      options.signal?.removeEventListener("abort", cancel);
      call.cancel();
      await sending;
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #metadata(options: CallOptions) {
    return toGrpcMetadata(options.metadata, options.waitForReady ?? this.#waitForReady);
  }
}

async function send(
  call: ClientDuplexStream<Buffer, Buffer>,
  requests: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ended: Promise<void>,
): Promise<void> {
  let over = false;
  const end = ended.then(() => {
    over = true;
  });
  const iterator = Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]();
  for (;;) {
    const next = Promise.resolve(iterator.next());
    next.catch(() => {}); // when the call ended first nobody waits for the caller's next request
    await Promise.race([end, next]);
    if (over) break;
    const result: IteratorResult<Uint8Array, unknown> = await next;
    if (result.done === true) {
      call.end();
      return;
    }
    if (!call.write(asBuffer(result.value))) {
      await Promise.race([end, new Promise<void>((resolve) => call.once("drain", () => resolve()))]);
    }
  }
  // Not awaited: an iterator that waits for the caller returns only when that wait ends.
  void Promise.resolve(iterator.return?.()).catch(() => {});
}

function grpcOptions(options: CallOptions) {
  return options.deadlineMs === undefined ? {} : { deadline: options.deadlineMs };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function failureOf(error: ServiceError, signal: AbortSignal | undefined): Error {
  if (signal?.aborted === true && signal.reason instanceof HostError) return signal.reason;
  return errorOfStatus(error);
}
