import { on, once } from "node:events";
import type { MessagePort } from "node:worker_threads";
import { HostError, type ErrorKind } from "#proto/wire/errors.ts";
import { toHostError } from "#proto/wire/status.ts";

/** Chunks under way at once: the sender waits for the receiver. */
const windowChunks = 4;

type Message =
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "failed"; readonly error: { readonly kind: ErrorKind; readonly message: string } };

/**
 * Sends chunks to the other end and closes the port; resolves when the last was taken, or nobody listens any more.
 * Chunks that own their memory are handed over, and empty here afterwards; a failure of the source goes to the receiver.
 */
export async function sendChunks(port: MessagePort, source: AsyncIterable<Uint8Array>): Promise<void> {
  let unread = 0;
  let closed = false;
  let wake = (): void => {};
  port.on("message", () => {
    unread--;
    wake();
  });
  port.on("close", () => {
    closed = true;
    wake();
  });
  const send = (message: Message, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  try {
    for await (const bytes of source) {
      while (unread >= windowChunks && !closed) await new Promise<void>((resolve) => (wake = resolve));
      if (closed) return;
      unread++;
      const { buffer } = bytes;
      const isOwn = buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength;
      send({ kind: "chunk", bytes }, isOwn ? [buffer] : []);
    }
    send({ kind: "end" });
  } catch (error) {
    const { kind, message } = toHostError(error);
    send({ kind: "failed", error: { kind, message } });
  }
  if (!closed) await once(port, "close");
}

/** What the other end sends; ending the iteration closes the port. Throws what the source threw. */
export async function* receiveChunks(port: MessagePort): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const [message] of on(port, "message", { close: ["close"] }) as AsyncIterable<[Message]>) {
      if (message.kind === "end") return;
      if (message.kind === "failed") throw new HostError(message.error.kind, message.error.message);
      port.postMessage("taken");
      yield Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.byteLength);
    }
    throw new HostError("aborted", "the sender of the bytes has gone");
  } finally {
    port.close();
  }
}
