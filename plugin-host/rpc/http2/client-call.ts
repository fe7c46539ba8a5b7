import { errorCodes } from "#proto/http2/constants.ts";
import type { HeaderField } from "#proto/http2/header-field.ts";
import { HostError } from "#proto/wire/errors.ts";
import { kindOf } from "#proto/wire/status.ts";
import type { CallOptions } from "../types.ts";
import { decodeMessageText, fieldOf, metadataOf } from "./headers.ts";
import { decodeStatusDetails, statusDetailsKey } from "../status-details.ts";
import type { Stream } from "./stream.ts";

const timerLimitMs = 2 ** 31 - 1;

/** One call to a peer, from the first byte to the status. Owns: its stream, its deadline's timer. */
export class ClientCall {
  /** The peer never saw the call: it may be made again. */
  refused = false;
  readonly #stream: Stream;
  readonly #options: CallOptions;
  readonly #cancel = (): void => this.#abort(cancelReason(this.#options.signal));
  readonly #timer: NodeJS.Timeout | undefined;
  #listener: (() => void) | undefined;
  #failure: HostError | undefined;
  #done = false;
  #answered = false;

  constructor(stream: Stream, options: CallOptions) {
    this.#stream = stream;
    this.#options = options;
    stream.events = {
      onHeaders: (fields, endStream) => this.#onHeaders(fields, endStream),
      onReadable: () => this.#wake(),
      onAborted: (code, reason) => this.#onAborted(code, reason),
    };
    const { signal, deadlineMs } = options;
    if (deadlineMs !== undefined) {
      const leftMs = Math.min(Math.max(0, deadlineMs - Date.now()), timerLimitMs);
      this.#timer = setTimeout(
        () => this.#abort(new HostError("deadline-exceeded", "context deadline exceeded")),
        leftMs,
      );
    }
    signal?.addEventListener("abort", this.#cancel, { once: true });
    if (signal?.aborted === true) this.#cancel();
  }

  /** The status is here (or the call failed), and all messages were taken. */
  get ended(): boolean {
    return (this.#done || this.#failure !== undefined) && (this.#failure !== undefined || !this.#stream.readable);
  }

  get failure(): HostError | undefined {
    return this.#failure;
  }

  get stream(): Stream {
    return this.#stream;
  }

  /** Hears once of the next news: a message or the end. */
  onNews(listener: () => void): void {
    this.#listener = listener;
  }

  /** Lets go of the call; one that is not over is cancelled. */
  release(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#cancel);
    if (!this.#stream.over) this.#stream.reset(errorCodes.cancel);
  }

  #onHeaders(fields: readonly HeaderField[], endStream: boolean): void {
    const httpStatus = fieldOf(fields, ":status");
    if (!this.#answered && httpStatus?.startsWith("1") === true) return;
    this.#options.onMetadata?.(metadataOf(fields));
    if (!this.#answered && httpStatus !== "200" && fieldOf(fields, "grpc-status") === undefined) {
      return this.#abort(new HostError("unavailable", `the peer answered with HTTP status ${httpStatus ?? "none"}`));
    }
    this.#answered = true;
    if (endStream) this.#onStatus(fields);
  }

  #onStatus(fields: readonly HeaderField[]): void {
    const code = Number(fieldOf(fields, "grpc-status") ?? 2);
    if (code !== 0) {
      const message = decodeMessageText(fieldOf(fields, "grpc-message") ?? "");
      this.#failure ??= new HostError(kindOf(code), message, decodeStatusDetails(fieldOf(fields, statusDetailsKey)));
    }
    this.#done = true;
    this.#wake();
  }

  #onAborted(code: number | undefined, reason: string): void {
    this.refused = code === errorCodes.refusedStream;
    if (this.#done) return;
    this.#failure ??= abortFailure(code, reason);
    this.#wake();
  }

  #abort(reason: HostError): void {
    if (this.#done || this.#failure !== undefined) return;
    this.#failure = reason;
    if (!this.#stream.over) this.#stream.reset(errorCodes.cancel);
    this.#wake();
  }

  #wake(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.();
  }
}

function cancelReason(signal: AbortSignal | undefined): HostError {
  const reason: unknown = signal?.reason;
  return reason instanceof HostError ? reason : new HostError("canceled", "context canceled", { cause: reason });
}

/** gRPC's meaning of a reset (PROTOCOL-HTTP2.md, "Errors"); no code: the connection is gone. */
function abortFailure(code: number | undefined, reason: string): HostError {
  if (reason.includes("larger than max")) return new HostError("resource-exhausted", reason);
  switch (code) {
    case undefined:
    case errorCodes.refusedStream:
      return new HostError("unavailable", reason);
    case errorCodes.cancel:
      return new HostError("canceled", reason);
    case errorCodes.enhanceYourCalm:
      return new HostError("resource-exhausted", reason);
    default:
      return new HostError("internal", reason);
  }
}
