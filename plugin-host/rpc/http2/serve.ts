import { rm } from "node:fs/promises";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { errorCodes } from "#proto/http2/constants.ts";
import type { HeaderField } from "#proto/http2/header-field.ts";
import { HostError } from "#proto/wire/errors.ts";
import { codeOf, toHostError } from "#proto/wire/status.ts";
import type { ServeOptions } from "../types.ts";
import type { RawHandler, ServedMethod, Server, Service } from "../types.ts";
import { answerBlock, fieldOf, trailersBlock, trailersOnlyBlock } from "./headers.ts";
import { RequestMessages } from "./request-messages.ts";
import { ServedCall } from "./served-call.ts";
import { Session } from "./session.ts";
import { ReadingSocket } from "./socket.ts";
import { statusDetailsKey, encodeStatusDetails } from "../status-details.ts";
import type { Stream } from "./stream.ts";

const defaultMessageBytes = 16 * 1024 * 1024;

/** A server on frames of our own; see ../README for why. Call `listen` to open it. */
export function serve(options: ServeOptions): Server {
  return new FrameServer(options);
}

/** Owns: the listening sockets and their files, the sessions, the calls on them. */
class FrameServer implements Server {
  readonly #options: ServeOptions;
  readonly #methods = new Map<string, ServedMethod>();
  readonly #services = new Set<string>();
  readonly #servers: { readonly net: NetServer; readonly path: string }[] = [];
  readonly #sessions = new Set<Session>();
  readonly #calls = new Set<ServedCall>();
  #closed: (() => void) | undefined;
  #draining = false;

  constructor(options: ServeOptions) {
    this.#options = options;
    for (const service of options.services) this.add(service);
  }

  get openCalls(): number {
    return this.#calls.size;
  }

  add(service: Service): void {
    this.#services.add(service.name);
    for (const [name, method] of service.methods) this.#methods.set(`/${service.name}/${name}`, method);
  }

  async listen(socketPath: string): Promise<void> {
    await rm(socketPath, { force: true });
    const net = createServer({ noDelay: true, allowHalfOpen: false, pauseOnConnect: true }, (socket) =>
      this.#accept(socket),
    );
    await new Promise<void>((resolve, reject) => {
      net.once("error", (error) =>
        reject(new HostError("unavailable", `listen on ${socketPath}: ${error.message}`, { cause: error })),
      );
      net.listen({ path: socketPath, backlog: 4096 }, resolve);
    });
    this.#servers.push({ net, path: socketPath });
  }

  async drain(signal: AbortSignal, spared = 0): Promise<number> {
    this.#draining = true;
    for (const session of this.#sessions) session.goaway();
    await this.#untilOpen(spared, signal);
    return Math.max(0, this.#calls.size - spared);
  }

  async cancel(signal: AbortSignal): Promise<void> {
    this.#abortCalls();
    await this.#untilOpen(0, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abortCalls();
    for (const session of this.#sessions) session.destroy("the server is closing");
    await Promise.all(
      this.#servers.map(async ({ net, path }) => {
        await new Promise<void>((resolve) => net.close(() => resolve()));
        await rm(path, { force: true });
      }),
    );
  }

  #abortCalls(): void {
    for (const call of this.#calls) call.abort(new HostError("unavailable", "the server is closing"));
  }

  /** Waits until at most `count` calls are open, or `signal` aborts. */
  async #untilOpen(count: number, signal: AbortSignal): Promise<void> {
    if (this.#calls.size <= count || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#closed = () => {
        if (this.#calls.size <= count) resolve();
      };
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #accept(socket: Socket): void {
    const session: Session = new Session(ReadingSocket.adopt(socket), "server", {
      onStream: (stream, fields) => this.#onStream(stream, fields),
      onGoaway: () => {},
      onClosed: () => this.#sessions.delete(session),
    });
    this.#sessions.add(session);
    if (this.#draining) session.goaway();
  }

  #onStream(stream: Stream, fields: readonly HeaderField[]): void {
    const path = fieldOf(fields, ":path") ?? "";
    const contentType = fieldOf(fields, "content-type") ?? "";
    if (fieldOf(fields, ":method") !== "POST" || !contentType.startsWith("application/grpc")) {
      return stream.reset(errorCodes.protocolError);
    }
    stream.maxMessageBytes = this.#options.maxRecvMessageBytes ?? defaultMessageBytes;
    const method = this.#methods.get(path);
    if (method === undefined) return refuse(stream, this.#unknown(path));
    const call = new ServedCall(path, fields, stream);
    this.#calls.add(call);
    const requests = new RequestMessages(stream, call);
    if (method.unary !== undefined) this.#runUnary(call, requests, method.unary);
    else void this.#runStream(call, requests, method.handle); // failures end in the call's status
  }

  #runUnary(call: ServedCall, requests: RequestMessages, unary: NonNullable<ServedMethod["unary"]>): void {
    requests.onlyMessage(
      (request) => {
        unary(request, call.context).then(
          (response) => {
            if (!call.over) this.#answerUnary(call, response);
            this.#end(call);
          },
          (error: unknown) => this.#fail(call, error),
        );
      },
      (error) => this.#fail(call, error),
    );
  }

  #answerUnary(call: ServedCall, response: Uint8Array): void {
    const limit = this.#options.maxSendMessageBytes ?? defaultMessageBytes;
    if (response.length > limit) return this.#refuseAnswer(call, response.length, limit);
    call.stream.sendHeaders(answerBlock(call.header), false);
    call.stream.sendMessage(response);
    call.stream.end(trailersBlock(0, "", call.trailer));
  }

  async #runStream(call: ServedCall, requests: RequestMessages, handle: RawHandler): Promise<void> {
    const { stream } = call;
    const limit = this.#options.maxSendMessageBytes ?? defaultMessageBytes;
    let begun = false;
    try {
      for await (const answer of handle(requests, call.context)) {
        if (call.over) break;
        if (call.abortReason !== undefined) throw call.abortReason;
        if (answer.length > limit) throw tooLarge(answer.length, limit);
        if (!begun) stream.sendHeaders(answerBlock(call.header), false);
        begun = true;
        if (!stream.sendMessage(answer)) await stream.drained();
      }
      if (!call.over) {
        if (!begun) stream.sendHeaders(answerBlock(call.header), false);
        stream.end(trailersBlock(0, "", call.trailer));
      }
      this.#end(call);
    } catch (error) {
      this.#fail(call, error, begun);
    }
  }

  #refuseAnswer(call: ServedCall, length: number, limit: number): void {
    const { kind, message } = tooLarge(length, limit);
    call.stream.sendHeaders(trailersOnlyBlock(codeOf(kind), message, call.trailer), true);
  }

  /** Ends a call with an error's status; a call that is over needs none. */
  #fail(call: ServedCall, thrown: unknown, begun = false): void {
    if (!call.over) {
      const error = toHostError(call.abortReason ?? thrown);
      if (error.kind === "unknown" && thrown instanceof Error && !(thrown instanceof HostError)) {
        this.#options.onUnclassified?.(thrown, call.context.method);
      }
      const details = encodeStatusDetails(error);
      const trailer = details === undefined ? call.trailer : { ...call.trailer, [statusDetailsKey]: details };
      const code = codeOf(error.kind);
      if (begun) call.stream.end(trailersBlock(code, error.message, trailer));
      else call.stream.sendHeaders(trailersOnlyBlock(code, error.message, trailer), true);
      // What the caller still sends is of no use: RFC 9113 section 8.1.
      if (!call.stream.over && !begun) call.stream.reset(errorCodes.noError);
    }
    this.#end(call);
  }

  #end(call: ServedCall): void {
    call.finish();
    if (!this.#calls.delete(call)) return;
    this.#closed?.();
  }

  #unknown(path: string): HostError {
    const [, service = "", method = ""] = path.split("/");
    return this.#services.has(service)
      ? new HostError("unimplemented", `unknown method ${method} for service ${service}`)
      : new HostError("unimplemented", `unknown service ${service}`);
  }
}

function refuse(stream: Stream, error: HostError): void {
  stream.sendHeaders(trailersOnlyBlock(codeOf(error.kind), error.message, undefined), true);
  if (!stream.over) stream.reset(errorCodes.noError);
}

function tooLarge(length: number, limit: number): HostError {
  return new HostError("resource-exhausted", `grpc: trying to send message larger than max (${length} vs. ${limit})`);
}
