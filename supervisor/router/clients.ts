import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import { ClientConnection, type ClientOwner } from "./client-connection.ts";
import { CallerCounts } from "./caller-counts.ts";
import { Call } from "./forward.ts";
import { NetTransport } from "./net-transport.ts";
import type { RequestHead } from "./request-head.ts";
import type { Routes } from "./routes.ts";
import type { Caller } from "./routing.ts";

/** An idle time is looked at so many times while it lasts. */
const idleChecks = 4;

/** Clients of all listeners. Owns: listeners, connections and the timer that looks for idle ones. */
export class Clients implements ClientOwner {
  readonly #routes: Routes;
  readonly #connections = new Set<ClientConnection>();
  readonly #servers = new Map<string, Server>();
  readonly #callers = new CallerCounts();
  #onIdle: (() => void) | undefined;
  #idleMs = 0;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(routes: Routes) {
    this.#routes = routes;
  }

  get size(): number {
    return this.#connections.size;
  }

  /**
   * Accepts on the listening descriptor `fd`; `callerOf` says who a connection is. `name` tells listeners apart: a
   * second one of the same name replaces the first, whose connections live on.
   */
  listen(name: string, fd: number, callerOf: (socket: Socket) => Caller): void {
    this.#servers.get(name)?.close();
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket, callerOf));
    server.on("error", (error) => process.stderr.write(`router: cannot accept for ${name}: ${error.message}\n`));
    // Only the positional form keeps the backlog that the listener was opened with.
    server.listen({ fd }, listenBacklog);
    this.#servers.set(name, server);
  }

  /** No new connections; GOAWAY to all; `idle` is called when the last is gone. */
  drain(idle: () => void): void {
    this.#onIdle = idle;
    for (const server of this.#servers.values()) server.close();
    for (const connection of this.#connections) connection.drain();
    this.#checkIdle();
  }

  /** Ends connections that have had no call for as long as the limits say now. */
  watchIdle(): void {
    const { idleMs } = this.#routes.context.limits;
    if (idleMs === this.#idleMs) return;
    this.#idleMs = idleMs;
    clearInterval(this.#idleTimer);
    if (idleMs === 0) return;
    this.#idleTimer = setInterval(() => this.#endIdle(idleMs), Math.ceil(idleMs / idleChecks));
    this.#idleTimer.unref();
  }

  onRequest(connection: ClientConnection, streamId: number, head: RequestHead, endStream: boolean): void {
    new Call(this.#routes, connection, streamId, head, endStream).route();
  }

  onGone(connection: ClientConnection): void {
    this.#connections.delete(connection);
    this.#callers.remove(connection.caller);
    this.#routes.counters.connections--;
    this.#checkIdle();
  }

  #accept(socket: Socket, callerOf: (socket: Socket) => Caller): void {
    const { connections, connectionsPerUid } = this.#routes.context.limits;
    if (this.#connections.size >= connections) {
      socket.destroy();
      return;
    }
    const caller = callerOf(socket);
    if (this.#callers.of(caller) >= connectionsPerUid) {
      socket.destroy();
      return;
    }
    this.#callers.add(caller);
    this.#routes.counters.connections++;
    this.#connections.add(new ClientConnection(NetTransport.adopt(socket), this.#routes.context, this, caller));
  }

  #endIdle(idleMs: number): void {
    const now = this.#routes.context.now();
    for (const connection of this.#connections) if (connection.idleSince(now) + idleMs <= now) connection.drain();
  }

  #checkIdle(): void {
    if (this.#onIdle === undefined || this.#connections.size > 0) return;
    const idle = this.#onIdle;
    this.#onIdle = undefined;
    idle();
  }
}

const listenBacklog = 4096;
