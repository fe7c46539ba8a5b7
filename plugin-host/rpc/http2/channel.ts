import { HostError } from "#proto/wire/errors.ts";
import type { ConnectOptions } from "../types.ts";
import type { CallOptions, Channel } from "../types.ts";
import { ClientCall } from "./client-call.ts";
import { requestBlock } from "./headers.ts";
import { Session } from "./session.ts";
import { ReadingSocket } from "./socket.ts";
import type { Stream } from "./stream.ts";

/** Pause between attempts to connect: from the first to the longest. */
const firstPauseMs = 10;
const longestPauseMs = 500;
/** A call that the peer refused unseen is made again this often. */
const retryLimit = 5;

/** A channel on frames of our own to a unix socket (`unix:/path` or a path). Connects at the first call. */
export function connect(target: string, options: ConnectOptions = {}): Channel {
  return new FrameChannel(target, options);
}

/** Owns: one connection at a time. */
class FrameChannel implements Channel {
  readonly target: string;
  readonly #path: string;
  readonly #options: ConnectOptions;
  #session: Session | undefined;
  #connecting: Promise<Session> | undefined;
  #disposed = false;

  constructor(target: string, options: ConnectOptions) {
    this.target = target;
    this.#path = target.replace(/^unix:(\/\/)?/, "");
    this.#options = options;
  }

  async unary(method: string, request: Uint8Array, options: CallOptions = {}): Promise<Buffer> {
    for (let attempt = 1; ; attempt++) {
      const call = await this.#begin(method, options);
      call.stream.sendMessage(request);
      call.stream.end();
      let answer: Buffer | undefined;
      try {
        while (!call.ended) {
          answer = call.stream.take() ?? answer;
          if (!call.ended) await new Promise<void>((resolve) => call.onNews(resolve));
        }
      } finally {
        call.release();
      }
      if (call.failure === undefined && answer !== undefined) return answer;
      if (call.refused && attempt < retryLimit) continue;
      throw call.failure ?? new HostError("internal", `${method}: the answer has no message`);
    }
  }

  async *raw(
    method: string,
    requests: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): AsyncGenerator<Buffer> {
    const call = await this.#begin(method, options);
    const { stream } = call;
    const sending = Symbol.asyncIterator in requests ? new Sending(stream, requests) : undefined;
    if (sending === undefined) {
      for (const request of requests as Iterable<Uint8Array>) stream.sendMessage(request);
      stream.end();
    }
    try {
      for (;;) {
        const message = stream.take();
        if (message !== undefined) {
          yield message;
          continue;
        }
        const failure = sending?.failure ?? call.failure;
        if (failure !== undefined) throw failure;
        if (call.ended) return;
        await new Promise<void>((resolve) => {
          call.onNews(resolve);
          if (sending !== undefined) sending.onFailure = resolve;
        });
      }
    } finally {
      call.release();
      sending?.stop();
    }
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#session?.destroy("the channel was closed");
  }

  async #begin(method: string, options: CallOptions): Promise<ClientCall> {
    const stream = this.#session?.open() ?? (await this.#openStream(options));
    stream.maxMessageBytes = this.#options.maxMessageBytes ?? stream.maxMessageBytes;
    const timeoutMs = options.deadlineMs === undefined ? undefined : options.deadlineMs - Date.now();
    stream.sendHeaders(requestBlock(method, options.metadata, timeoutMs), false);
    return new ClientCall(stream, options);
  }

  /** A stream on a live connection; waits for the peer where the call says so. */
  async #openStream(options: CallOptions): Promise<Stream> {
    const wait = options.waitForReady ?? this.#options.waitForReady ?? false;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      throwIfOver(options);
      try {
        const session = await within(this.#connect(), options);
        const stream = session.open();
        if (stream !== undefined) return stream;
      } catch (error) {
        if (!wait || this.#disposed || !(error instanceof HostError && error.kind === "unavailable")) throw error;
      }
      await within(new Promise<void>((resolve) => setTimeout(resolve, pauseMs)), options);
    }
  }

  #connect(): Promise<Session> {
    const session = this.#session;
    if (session !== undefined && !session.leaving && !session.closed) return Promise.resolve(session);
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #open(): Promise<Session> {
    if (this.#disposed) throw new HostError("canceled", `${this.target}: the channel was closed`);
    const socket = await connectSocket(this.#path);
    const session: Session = new Session(socket, "client", {
      onStream: () => {},
      onGoaway: (last) => {
        for (const stream of session.streams.values()) if (stream.id > last) stream.onReset(7);
        this.#leave(session);
      },
      onClosed: () => {
        this.#leave(session);
        if (!this.#disposed) this.#options.onLost?.();
      },
    });
    this.#session = session;
    return session;
  }

  #leave(session: Session): void {
    if (this.#session === session) this.#session = undefined;
  }
}

/** Sends a caller's messages beside the reading of answers. Owns: the caller's iterator. */
class Sending {
  failure: Error | undefined;
  onFailure: () => void = () => {};
  readonly #stream: Stream;
  readonly #iterator: AsyncIterator<Uint8Array>;

  constructor(stream: Stream, requests: AsyncIterable<Uint8Array>) {
    this.#stream = stream;
    this.#iterator = requests[Symbol.asyncIterator]();
    void this.#run(); // failures end the call
  }

  /** The call is over: the caller's messages are of no use. Not awaited: the iterator may wait for its caller. */
  stop(): void {
    void Promise.resolve(this.#iterator.return?.()).catch(() => {});
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        const next: IteratorResult<Uint8Array, unknown> = await this.#iterator.next();
        if (this.#stream.over) return;
        if (next.done === true) return this.#stream.end();
        if (!this.#stream.sendMessage(next.value)) await this.#stream.drained();
      }
    } catch (error) {
      this.failure = error instanceof Error ? error : new HostError("unknown", String(error));
      this.onFailure();
    }
  }
}

function connectSocket(path: string): Promise<ReadingSocket> {
  return new Promise((resolve, reject) => {
    const reading = ReadingSocket.connect(path);
    const { socket } = reading;
    const fail = (error: Error): void =>
      reject(new HostError("unavailable", `connect to ${path}: ${error.message}`, { cause: error }));
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.off("error", fail);
      resolve(reading);
    });
  });
}

function throwIfOver({ signal, deadlineMs }: CallOptions): void {
  if (signal?.aborted === true)
    throw signal.reason instanceof HostError ? signal.reason : new HostError("canceled", "context canceled");
  if (deadlineMs !== undefined && Date.now() >= deadlineMs)
    throw new HostError("deadline-exceeded", "context deadline exceeded");
}

/** The promise's value, unless the call's signal or deadline come first. */
async function within<T>(promise: Promise<T>, options: CallOptions): Promise<T> {
  const { signal, deadlineMs } = options;
  if (signal === undefined && deadlineMs === undefined) return promise;
  promise.catch(() => {}); // its failure may come when nobody waits any more
  let stop = (): void => {};
  const over = new Promise<never>((_, reject) => {
    const end = (): void => {
      try {
        throwIfOver(options);
        reject(new HostError("deadline-exceeded", "context deadline exceeded"));
      } catch (error) {
        reject(error as Error);
      }
    };
    const timer =
      deadlineMs === undefined
        ? undefined
        : setTimeout(end, Math.max(0, Math.min(deadlineMs - Date.now(), 2 ** 31 - 1)));
    signal?.addEventListener("abort", end, { once: true });
    stop = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
    };
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    stop();
  }
}
