import type { HeaderField } from "#proto/http2/header-field.ts";
import { HostError } from "#proto/wire/errors.ts";
import type { CallContext, Metadata } from "../types.ts";
import { fieldOf, metadataOf, timeoutMsOf } from "./headers.ts";
import type { Stream } from "./stream.ts";

/** Longest timer Node has; later deadlines are never reached anyway. */
const timerLimitMs = 2 ** 31 - 1;

/**
 * One call being served: its context, and whether it goes on. Owns: the deadline's timer; the abort controller,
 * made only when a handler asks for the signal.
 */
export class ServedCall {
  readonly stream: Stream;
  readonly context: CallContext;
  header: Record<string, string> | undefined;
  trailer: Record<string, string> | undefined;
  /** Why the call was ended from outside; undefined: it was not. */
  abortReason: HostError | undefined;
  readonly #fields: readonly HeaderField[];
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #onAbort: (() => void)[] = [];
  #controller: AbortController | undefined;
  #metadata: Metadata | undefined;
  #finished = false;

  constructor(method: string, fields: readonly HeaderField[], stream: Stream) {
    this.stream = stream;
    this.#fields = fields;
    const timeoutMs = timeoutMsOf(fieldOf(fields, "grpc-timeout"));
    this.context = new ServedContext(method, timeoutMs === undefined ? undefined : Date.now() + timeoutMs, this);
    if (timeoutMs !== undefined && timeoutMs <= timerLimitMs) {
      this.#timer = setTimeout(
        () => this.abort(new HostError("deadline-exceeded", "context deadline exceeded")),
        timeoutMs,
      );
    }
  }

  get metadata(): Metadata {
    return (this.#metadata ??= metadataOf(this.#fields));
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.abortReason !== undefined) this.#controller.abort(this.abortReason);
    }
    return this.#controller.signal;
  }

  /** Nobody waits for an answer any more. */
  get over(): boolean {
    return this.#finished || this.stream.over || this.stream.localEnded;
  }

  onAbort(listener: () => void): void {
    this.#onAbort.push(listener);
  }

  /** Ends the call from outside: its deadline, its caller, or the server. */
  abort(reason: HostError): void {
    if (this.#finished || this.abortReason !== undefined) return;
    this.abortReason = reason;
    this.#controller?.abort(reason);
    for (const listener of this.#onAbort) listener();
  }

  finish(): void {
    this.#finished = true;
    clearTimeout(this.#timer);
  }
}

/** Reads through to the call, so that nothing is made that a handler does not ask for. */
class ServedContext implements CallContext {
  readonly method: string;
  readonly deadlineMs: number | undefined;
  readonly #call: ServedCall;

  constructor(method: string, deadlineMs: number | undefined, call: ServedCall) {
    this.method = method;
    this.deadlineMs = deadlineMs;
    this.#call = call;
  }

  get metadata(): Metadata {
    return this.#call.metadata;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  setHeader(key: string, value: string): void {
    (this.#call.header ??= {})[key] = value;
  }

  setTrailer(key: string, value: string): void {
    (this.#call.trailer ??= {})[key] = value;
  }
}
