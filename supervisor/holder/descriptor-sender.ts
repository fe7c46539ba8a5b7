import { closeSync } from "node:fs";
import { isLinuxError, onceReady, sendDescriptor } from "#linux";

interface Pending {
  readonly fd: number;
  readonly sent: () => void;
}

/**
 * Hands descriptors to the process at the other end of a socket, in order; `sent` is called once the kernel has taken
 * one. What does not fit waits until the other side has read. Owns: the socket; descriptors sent stay the caller's and
 * must stay open.
 */
export class DescriptorSender implements Disposable {
  readonly #socket: number;
  readonly #pending: Pending[] = [];
  #endWait: (() => void) | undefined;
  #onIdle: (() => void) | undefined;
  #closed = false;

  constructor(socket: number) {
    this.#socket = socket;
  }

  send(fd: number, sent: () => void): void {
    this.#pending.push({ fd, sent });
    if (this.#endWait === undefined) this.#flush();
  }

  /** Calls `listener` once nothing waits: at once, or when the last has been sent. */
  whenSent(listener: () => void): void {
    if (this.#pending.length === 0) listener();
    else this.#onIdle = listener;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endWait?.();
    closeSync(this.#socket);
  }

  #flush(): void {
    this.#endWait = undefined;
    for (let next = this.#pending[0]; next !== undefined && !this.#closed; next = this.#pending[0]) {
      try {
        sendDescriptor(this.#socket, next.fd);
      } catch (error) {
        if (isLinuxError(error, "EPIPE", "ECONNRESET")) return; // the other side is gone, which its channel tells
        if (!isLinuxError(error, "EAGAIN", "ETOOMANYREFS")) throw error;
        this.#endWait = onceReady(this.#socket, "writable", () => this.#flush());
        return;
      }
      this.#pending.shift();
      next.sent();
    }
    this.#onIdle?.();
    this.#onIdle = undefined;
  }
}
