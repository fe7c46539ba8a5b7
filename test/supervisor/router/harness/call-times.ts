import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { flags, frameTypes } from "#proto/http2/constants.ts";
import { answer, ok, RawPeer, RawServer, request } from "./raw-peer.ts";

const frameBytes = 16_384;

/** A package in this process that answers every whole request at once. Owns: its listener and connections. */
export async function startPromptPackage(socket: string): Promise<AsyncDisposable> {
  const answerBlock = encodeHeaders(answer);
  const okBlock = encodeHeaders(ok);
  return RawServer.listen(socket, {}, (peer) => {
    peer.onFrame = (frame) => {
      if (frame.type !== frameTypes.headers || (frame.flags & flags.endStream) === 0) return;
      peer.writer.headers(frame.streamId, answerBlock, false, frameBytes);
      peer.writer.headers(frame.streamId, okBlock, true, frameBytes);
      peer.flush();
    };
  });
}

/** Calls of one connection, one after another, and how long each takes by a clock. Owns: the connection. */
export class CallTimes implements Disposable {
  readonly #peer: RawPeer;
  readonly #block: Buffer;
  #nextId = 1;
  #ended: ((status: string | undefined) => void) | undefined;

  private constructor(peer: RawPeer, path: string) {
    this.#peer = peer;
    this.#block = encodeHeaders(request(path));
    peer.onFrame = (frame) => {
      if (frame.type === frameTypes.headers && (frame.flags & flags.endStream) !== 0)
        this.#ended?.(frame.headers["grpc-status"]);
    };
    peer.socket.once("close", () => this.#ended?.("closed"));
  }

  static async connect(socket: string, path: string): Promise<CallTimes> {
    return new CallTimes(await RawPeer.client(socket), path);
  }

  /** What each of `count` calls took by `now`'s clock. Rejects when one fails. */
  async measure(count: number, now: () => number): Promise<number[]> {
    const times: number[] = [];
    for (let call = 0; call < count; call++) {
      const started = now();
      const status = await this.#call();
      if (status !== "0") throw new Error(`an ordinary call ended with ${status}`);
      times.push(now() - started);
    }
    return times;
  }

  /** Closes the connection; resolves when the router has, too. */
  async end(): Promise<void> {
    this.#ended = undefined;
    this.#peer.socket.end();
    await this.#peer.closed;
  }

  [Symbol.dispose](): void {
    this.#peer.close();
  }

  async #call(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#ended = resolve;
    this.#peer.writer.headers(this.#nextId, this.#block, true, frameBytes);
    this.#nextId += 2;
    this.#peer.flush();
    return promise;
  }
}

/** The value that `share` of the `times` do not exceed. */
export function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
