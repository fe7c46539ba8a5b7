import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { EncodedMessage } from "./encoded-message.ts";

/** Request or answer metadata: lower-case keys, first value of each; `-bin` values are base64. */
export type Metadata = Readonly<Record<string, string>>;

/** What a handler knows of the call it serves. */
export interface CallContext {
  /** Path, "/package.Service/Method". */
  readonly method: string;
  readonly metadata: Metadata;
  /** Aborted when the caller cancels, the deadline passes or the server closes; the reason is a HostError. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch; undefined: none. */
  readonly deadlineMs: number | undefined;
  /** Adds to the answer's headers; has no effect once the first message is out. */
  setHeader(key: string, value: string): void;
  /** Adds to the answer's trailers. */
  setTrailer(key: string, value: string): void;
}

/** What a handler answers: fields, a message, or one that is serialized already. */
export type Answer<O extends DescMessage> = MessageInitShape<O> | EncodedMessage;

export type MethodImpl<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<Answer<O>> | Answer<O>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: CallContext) => AsyncIterable<Answer<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: AsyncIterable<MessageShape<I>>, context: CallContext) => Promise<Answer<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (requests: AsyncIterable<MessageShape<I>>, context: CallContext) => AsyncIterable<Answer<O>>
          : never;

/** Handlers of a service by local method name (`listStatuses`). A missing one answers UNIMPLEMENTED. */
export type ServiceImpl<S extends DescService> = { [K in keyof S["method"]]?: MethodImpl<S["method"][K]> };

/**
 * A handler over serialized messages: one in, any number out; for relays that must not decode. An answer is the
 * handler's own again when it is asked for the next.
 */
export type RawHandler = (requests: AsyncIterable<Buffer>, context: CallContext) => AsyncIterable<Uint8Array>;

/** A service ready to be served; made by `implement` or `implementRaw`. */
export interface Service {
  /** Full name, "package.Service". */
  readonly name: string;
  /** Undefined for raw services without a descriptor. */
  readonly descriptor: DescService | undefined;
  /** Handlers over serialized messages by bare method name; `serve` drives these. */
  readonly methods: ReadonlyMap<string, ServedMethod>;
}

export interface ServedMethod {
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly handle: RawHandler;
  /** The same for one message in, one out: spares the two iterators. */
  readonly unary: ((request: Buffer, context: CallContext) => Promise<Uint8Array>) | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly metadata?: Metadata | undefined;
  /** Milliseconds since the epoch. */
  readonly deadlineMs?: number | undefined;
  /** Wait for the peer instead of failing while it is away. Default: the channel's. */
  readonly waitForReady?: boolean | undefined;
  /** Receives the answer's headers and trailers. */
  readonly onMetadata?: ((metadata: Metadata) => void) | undefined;
}

export type ClientMethod<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncIterable<MessageShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: AsyncIterable<MessageInitShape<I>>, options?: CallOptions) => Promise<MessageShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (requests: AsyncIterable<MessageInitShape<I>>, options?: CallOptions) => AsyncIterable<MessageShape<O>>
          : never;

/** Typed client of a service; every rejection is a HostError. */
export type Client<S extends DescService> = { [K in keyof S["method"]]: ClientMethod<S["method"][K]> };

/** A connection to one gRPC target. Owns: its HTTP/2 session. */
export interface Channel extends Disposable {
  readonly target: string;
  /** A call over serialized messages. Cancelled when the iteration ends early. */
  raw(
    method: string,
    requests: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options?: CallOptions,
  ): AsyncIterable<Buffer>;
  unary(method: string, request: Uint8Array, options?: CallOptions): Promise<Buffer>;
}

/** A gRPC server on one or more sockets. Owns: its sockets' files and open calls. */
export interface Server extends AsyncDisposable {
  /** Calls being served. */
  readonly openCalls: number;
  /** Listens on a unix socket path; a stale file is replaced. */
  listen(socketPath: string): Promise<void>;
  /** Adds a service; later ones with the same name replace. */
  add(service: Service): void;
  /**
   * Takes no new calls and resolves when only `spared` of them are open (a caller that drains from within a call
   * spares its own) or `signal` aborts; gives how many more are still open.
   */
  drain(signal: AbortSignal, spared?: number): Promise<number>;
  /** Ends every open call; resolves when their handlers are done, or `signal` aborts. */
  cancel(signal: AbortSignal): Promise<void>;
}

export interface ConnectOptions {
  /** Bytes; default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** Whether calls wait while the peer is away, unless they say otherwise. Default false. */
  readonly waitForReady?: boolean;
  /** Called when a connection that had been made has ended; not after the channel was closed. */
  readonly onLost?: () => void;
}

export interface ServeOptions {
  readonly services: readonly Service[];
  /** Bytes; default 16 MiB. */
  readonly maxRecvMessageBytes?: number;
  readonly maxSendMessageBytes?: number;
  /** Hears of errors without a class (answered UNKNOWN), to log them with their stack. */
  readonly onUnclassified?: (error: Error, method: string) => void;
}
