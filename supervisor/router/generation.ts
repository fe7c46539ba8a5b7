import type { Timer } from "../clock.ts";
import type { ConnectionContext } from "./connection-context.ts";
import type { Stream } from "./stream.ts";
import type { Transport } from "./transport.ts";
import { UpstreamConnection, type UpstreamOwner } from "./upstream-connection.ts";

/** Whom a generation's connections serve. */
export interface GenerationOwner {
  /** Streams can be opened that could not before. */
  onCapacity(generation: Generation): void;
  /** A connection breaks under these streams. */
  onBreaking(generation: Generation, streams: readonly Stream[]): void;
  /** A connection broke, or could not be made. */
  onLost(generation: Generation, reason: string): void;
}

/** Connections to one generation: one, and more when its streams run out. */
const mostConnections = 2;
const firstRetryMs = 50;
const longestRetryMs = 1000;

/**
 * The ways to one running generation of a package. Owns: its connections and the timer of the next try.
 */
export class Generation implements UpstreamOwner {
  readonly number: number;
  readonly socketPath: string;
  /** Connects in a row that failed. */
  failures = 0;
  assumedStreams: number;
  readonly #owner: GenerationOwner;
  readonly #context: ConnectionContext;
  #connections: UpstreamConnection[] = [];
  #connecting = false;
  #retired = false;
  #retry: Timer | undefined;

  constructor(number: number, socketPath: string, context: ConnectionContext, owner: GenerationOwner) {
    this.number = number;
    this.socketPath = socketPath;
    this.assumedStreams = context.limits.streamsBeforeSettings;
    this.#context = context;
    this.#owner = owner;
  }

  /** A connection that takes a stream now; undefined: the owner hears `onCapacity` or `onLost`. */
  acquire(): UpstreamConnection | undefined {
    for (const connection of this.#connections) if (connection.hasCapacity) return connection;
    if (this.#retry === undefined && this.#usable < mostConnections) this.#connect();
    return undefined;
  }

  /** Streams of its calls, for a drain. */
  *streams(): Iterable<Stream> {
    for (const connection of this.#connections) yield* connection.streams.all();
  }

  /** Calls that it has now. */
  get openCalls(): number {
    return this.#connections.reduce((sum, connection) => sum + connection.streams.size, 0);
  }

  /** No new calls; connections end with their last call. */
  retire(): void {
    this.#retired = true;
    this.#context.clock.clearTimer(this.#retry);
    for (const connection of this.#connections) connection.retire();
  }

  /** Ends all connections at once; their calls are lost. */
  destroy(reason: string): void {
    this.#retired = true;
    this.#context.clock.clearTimer(this.#retry);
    for (const connection of this.#connections) connection.destroy(reason);
  }

  /** Tries again at once what a failed connect put off: there is news of the package. */
  wake(): void {
    if (this.#retry === undefined) return;
    this.#context.clock.clearTimer(this.#retry);
    this.#tryAgain();
  }

  onCapacity(): void {
    this.#owner.onCapacity(this);
  }

  onBreaking(streams: readonly Stream[]): void {
    this.#owner.onBreaking(this, streams);
  }

  onGone(connection: UpstreamConnection, reason: string): void {
    const wasOpen = !connection.retiring;
    this.#connections = this.#connections.filter((other) => other !== connection);
    if (wasOpen && !this.#retired) this.#owner.onLost(this, reason);
    else this.onCapacity();
  }

  get #usable(): number {
    return this.#connections.filter((connection) => connection.state === "open").length;
  }

  #connect(): void {
    if (this.#connecting || this.#retired) return;
    this.#connecting = true;
    this.#context.connect(
      this.socketPath,
      (transport) => this.#onConnected(transport),
      (reason) => this.#onFailed(reason),
    );
  }

  #onConnected(transport: Transport): void {
    this.#connecting = false;
    this.failures = 0;
    this.#connections.push(new UpstreamConnection(transport, this.#context, this));
    if (this.#retired) this.retire();
    else this.onCapacity();
  }

  #onFailed(reason: string): void {
    this.#connecting = false;
    if (this.#retired) return;
    const wait = Math.min(longestRetryMs, firstRetryMs * 2 ** this.failures);
    this.failures++;
    this.#retry = this.#context.clock.setTimer(() => this.#tryAgain(), wait);
    this.#owner.onLost(this, reason);
  }

  /** Without a call that waits, too: where calls are refused meanwhile, nobody else would find out that it is back. */
  #tryAgain(): void {
    this.#retry = undefined;
    if (this.#usable === 0) this.#connect();
    else this.onCapacity();
  }
}
