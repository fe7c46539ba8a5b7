import { HostError } from "#proto/wire/errors.ts";
import type { ServedCall } from "./served-call.ts";
import type { Stream } from "./stream.ts";

/** A call's messages as they come; ends at the caller's half-close, throws when the call is aborted. */
export class RequestMessages implements AsyncIterableIterator<Buffer> {
  readonly #stream: Stream;
  readonly #call: ServedCall;
  #wake: (() => void) | undefined;

  constructor(stream: Stream, call: ServedCall) {
    this.#stream = stream;
    this.#call = call;
    const wake = (): void => this.#wakeUp();
    call.onAbort(wake);
    stream.events = {
      onHeaders: wake,
      onReadable: wake,
      onAborted: (code, reason) => call.abort(abortError(code, reason)),
    };
  }

  /** Hears of the one message of a unary call, or why there is none. */
  onlyMessage(listener: (message: Buffer) => void, onFailure: (error: Error) => void): void {
    const look = (): void => {
      const message = this.#stream.take();
      if (message !== undefined) return listener(message);
      if (this.#call.abortReason !== undefined) return onFailure(this.#call.abortReason);
      if (this.#stream.remoteEnded) return onFailure(new HostError("internal", "the request has no message"));
      this.#wake = look;
    };
    look();
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    for (;;) {
      const message = this.#stream.take();
      if (message !== undefined) return { done: false, value: message };
      if (this.#call.abortReason !== undefined) throw this.#call.abortReason;
      if (this.#stream.remoteEnded) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  return(): Promise<IteratorResult<Buffer, undefined>> {
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

function abortError(code: number | undefined, reason: string): HostError {
  if (code === 1 && reason.includes("larger than max")) return new HostError("resource-exhausted", reason);
  if (code === 1 && reason.includes("compressed")) return new HostError("unimplemented", reason);
  return new HostError("canceled", "context canceled");
}
