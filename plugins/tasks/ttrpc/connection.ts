import { createConnection, type Socket } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { HostError, type Channel } from "bulkhead/plugin";
import { RequestSchema, ResponseSchema, type Response } from "#proto/gen/ttrpc/ttrpc_pb.ts";
import {
  encodeTtrpcFrame,
  TtrpcFrameReader,
  ttrpcFrameTypes,
  ttrpcPayloadLimitBytes,
  type OversizedFrame,
  type TtrpcFrame,
} from "#proto/ttrpc/frames.ts";
import { kindOf } from "#proto/wire/status.ts";
import { peerProblem } from "./peer.ts";

type CallOptions = NonNullable<Parameters<Channel["unary"]>[2]>;

/** Calls that wait for their answers on one connection, at most. */
const pendingLimit = 10_000;
/** Bytes that a peer who does not read may leave unsent, at most. */
const unsentLimitBytes = 16 * 1024 * 1024;
/** Stream ids are odd and only rise; after the last one there are no more calls. */
const lastStreamId = 0xffff_ffff;
/** What all connections read into, one after the other: each keeps only what came. */
const readBuffer = Buffer.allocUnsafe(64 * 1024);

/** A call whose connection ended before its answer came (ttrpc's ErrClosed). */
export class ConnectionClosed extends HostError {
  constructor() {
    super("unknown", "ttrpc: closed: unknown");
  }
}

export interface ConnectRequest {
  /** `unix:///path`, or an abstract name. */
  readonly address: string;
  /** Milliseconds until it must stand. */
  readonly timeoutMs: number;
}

interface PendingCall {
  readonly resolve: (payload: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A ttrpc client (containerd/ttrpc client.go): unary calls over one unix socket, many at once. There is no message for
 * cancelling: who gives up just ignores the late answer. Owns: the socket; every pending call fails when it closes.
 */
export class TtrpcConnection implements Disposable {
  readonly target: string;
  /** Fulfilled when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #frames = new TtrpcFrameReader();
  readonly #pending = new Map<number, PendingCall>();
  #nextStreamId = 1;
  #isClosed = false;

  private constructor(socket: Socket, target: string) {
    this.#socket = socket;
    this.target = target;
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#fail();
        resolve();
      });
    });
  }

  /**
   * Connects to a peer that runs as this user. Throws unknown in Go's words when nobody listens, deadline-exceeded, and
   * permission-denied for a peer of somebody else.
   */
  static async connect({ address, timeoutMs }: ConnectRequest): Promise<TtrpcConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = createConnection({
      path: pathOf(address),
      onread: {
        buffer: readBuffer,
        // Nothing is read before the constructor below has run.
        callback: (bytes) => {
          connection.#onBytes(Buffer.from(readBuffer.subarray(0, bytes)));
          return true;
        },
      },
    });
    const connection = new TtrpcConnection(socket, address);
    const late = new HostError("deadline-exceeded", `dial unix ${address}: no answer in ${timeoutMs} ms`);
    const timer = setTimeout(() => reject(late), timeoutMs);
    socket.once("connect", () => resolve());
    socket.on("error", (cause) => {
      const { code = "" } = cause as NodeJS.ErrnoException;
      reject(new HostError("unknown", `dial unix ${address}: connect: ${goTexts[code] ?? code}`, { cause }));
    });
    try {
      await promise;
      const problem = peerProblem(socket);
      if (problem !== undefined) throw new HostError("permission-denied", `dial unix ${address}: ${problem}`);
      return connection;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Calls that have no answer yet. */
  get openCalls(): number {
    return this.#pending.size;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * One call; `method` as in gRPC, `/service/method`. The deadline is told to the peer and kept here, since peers do
   * not all keep it. Throws what the peer answers, ConnectionClosed, resource-exhausted beyond the limits.
   */
  unary(method: string, message: Uint8Array, options: CallOptions = {}): Promise<Buffer> {
    const { signal, deadlineMs } = options;
    const refusal = this.#refusal(signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    const payload = encodeRequest(method, message, options);
    if (payload.length > ttrpcPayloadLimitBytes) {
      const text = `message length ${payload.length} exceed maximum message size of ${ttrpcPayloadLimitBytes}`;
      return Promise.reject(new HostError("resource-exhausted", text));
    }
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    return new Promise<Buffer>((resolve, reject) => {
      const end = (): void => {
        this.#pending.delete(streamId);
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const onAbort = (): void => {
        end();
        reject(signal?.reason as Error);
      };
      const onDeadline = (): void => {
        end();
        reject(new HostError("deadline-exceeded", "context deadline exceeded"));
      };
      const timer = deadlineMs === undefined ? undefined : setTimeout(onDeadline, Math.max(0, deadlineMs - Date.now()));
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#pending.set(streamId, {
        resolve: (answer) => {
          end();
          resolve(answer);
        },
        reject: (error) => {
          end();
          reject(error as Error);
        },
      });
      this.#socket.write(encodeTtrpcFrame({ streamId, type: ttrpcFrameTypes.request, payload }));
    });
  }

  #onBytes(chunk: Buffer): void {
    for (const frame of this.#frames.push(chunk)) {
      if (frame.type === ttrpcFrameTypes.response) this.#onAnswer(frame);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #onAnswer(frame: TtrpcFrame | OversizedFrame): void {
    const call = this.#pending.get(frame.streamId);
    if (call === undefined) return; // given up, or never asked
    if (frame.payload === undefined) {
      const text = `message length ${frame.length} exceed maximum message size of ${ttrpcPayloadLimitBytes}`;
      return call.reject(new HostError("resource-exhausted", text));
    }
    let response: Response;
    try {
      response = fromBinary(ResponseSchema, frame.payload);
    } catch (cause) {
      return call.reject(new HostError("internal", `decode a shim's answer: ${(cause as Error).message}`, { cause }));
    }
    const { status, payload } = response;
    if (status === undefined || status.code === 0) return call.resolve(Buffer.from(payload));
    call.reject(new HostError(kindOf(status.code), status.message));
  }

  #refusal(signal: AbortSignal | undefined): Error | undefined {
    if (this.#isClosed) return new ConnectionClosed();
    if (signal?.aborted === true) return signal.reason as Error;
    if (this.#pending.size >= pendingLimit) {
      return new HostError("resource-exhausted", `the shim has not answered ${pendingLimit} calls`);
    }
    if (this.#socket.writableLength > unsentLimitBytes) return new HostError("unavailable", "the shim does not read");
    if (this.#nextStreamId > lastStreamId) return new HostError("unavailable", "the connection has no stream ids left");
    return undefined;
  }

  #fail(): void {
    this.#isClosed = true;
    // A call that fails leaves the map, which an iteration allows.
    for (const call of this.#pending.values()) call.reject(new ConnectionClosed());
  }
}

function encodeRequest(method: string, message: Uint8Array, { deadlineMs, metadata = {} }: CallOptions): Uint8Array {
  const [, service = "", name = ""] = method.split("/");
  const leftMs = deadlineMs === undefined ? 0 : Math.max(1, deadlineMs - Date.now());
  return toBinary(
    RequestSchema,
    create(RequestSchema, {
      service,
      method: name,
      payload: message,
      timeoutNano: BigInt(Math.ceil(leftMs)) * 1_000_000n,
      metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    }),
  );
}

const goTexts: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOENT: "no such file or directory",
  EINVAL: "invalid argument",
};

/** For Node a NUL begins an abstract name. */
function pathOf(address: string): string {
  return address.startsWith("unix://") ? address.slice("unix://".length) : `\0${address}`;
}
