import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { clientPreface, frameTypes } from "#proto/http2/constants.ts";
import { damaged } from "./damage.ts";
import { encodeFrame } from "./frames.ts";
import { markOf, packageOwner } from "./marks.ts";
import type { Recordings } from "./recordings.ts";
import { answerFrames, noise, type Chance } from "./session.ts";
import { StrictReader } from "./strict-reader.ts";

/** What it answers by: changed for each batch of calls, so that a seed says what happens. */
export interface Hostility {
  readonly next: Chance;
  readonly recordings: Recordings;
}

/** A package that answers anything. Owns: the listener and its connections. */
export class HostilePackage implements AsyncDisposable {
  /** Frames it meant to send. */
  sent = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #hostility: Hostility;
  #asked = Promise.withResolvers<false>();

  private constructor(hostility: Hostility, broken: (what: string) => void) {
    this.#hostility = hostility;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      this.#serve(socket, (what) => broken(`a hostile package got ${what}`));
    });
  }

  static async listen(path: string, hostility: Hostility, broken: (what: string) => void): Promise<HostilePackage> {
    const server = new HostilePackage(hostility, broken);
    server.#server.listen(path);
    await once(server.#server, "listening");
    return server;
  }

  /** Answers by that from now on. */
  become(hostility: Hostility): void {
    this.#hostility = hostility;
  }

  /** Resolves when it is called next. */
  async asked(): Promise<false> {
    return this.#asked.promise;
  }

  /** Ends all connections that there are. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(socket: Socket, broken: (what: string) => void): void {
    const { next } = this.#hostility;
    if (next(8) > 0)
      socket.write(encodeFrame({ type: frameTypes.settings, flags: 0, streamId: 0, payload: Buffer.alloc(0) }));
    else socket.write(noise(next, next(40)));
    let highest = 0;
    const reader = new StrictReader(
      {
        onHeaders: (streamId) => {
          if (streamId <= highest) return;
          highest = streamId;
          this.#answer(socket, streamId);
        },
      },
      (streamId, reset) => streamId % 2 === 1 && streamId <= highest + (reset ? 0 : 2),
      broken,
      clientPreface.length,
    );
    socket.on("data", (bytes: Buffer) => reader.read(bytes));
  }

  #answer(socket: Socket, streamId: number): void {
    const { next, recordings } = this.#hostility;
    this.#asked.resolve(false);
    this.#asked = Promise.withResolvers();
    const frames = answerFrames(next, recordings, streamId, markOf(packageOwner));
    this.sent += frames.length;
    socket.write(damaged(next, frames));
    const ending = next(30);
    if (ending === 0) socket.end();
    else if (ending === 1) socket.destroy();
  }
}
