import { connect } from "node:net";
import pRetry from "p-retry";
import { HostError } from "#proto/wire/errors.ts";
import { type Clock, realClock } from "../clock.ts";
import { LineChannel, type LineChannelListener } from "../holder/line-channel.ts";
import type {
  CallsInFlight,
  ControlToRouter,
  RouterCounters,
  RouterToControl,
  RouteTable,
} from "../router/route-table.ts";

/** How long the router may take to answer a question. */
const answerTimeoutMs = 1000;

/** How long a drain waits for a router that is not connected yet. */
const firstConnectMs = 1000;

type Answer = Extract<RouterToControl, { type: "counters" | "in-flight" }>;
type Question = Extract<ControlToRouter, { type: Answer["type"] }>;
type RouterChannel = Pick<LineChannel<RouterToControl, ControlToRouter>, "send" | "close">;

/** Connects to the router's socket, however long it takes. Rejects when `signal` aborts. */
export type DialRouter = (
  path: string,
  listener: LineChannelListener<RouterToControl>,
  signal: AbortSignal,
) => Promise<RouterChannel>;

/**
 * Control's line to the router: sends the newest table at once and again to each new router. Owns: the connection
 * to `<state>/router.sock` and the calls that wait for an answer on it.
 */
export class RouterLink implements AsyncDisposable {
  readonly #path: string;
  readonly #dial: DialRouter;
  readonly #clock: Clock;
  readonly #onLost: (packageName: string, generation: number, reason: string) => void;
  readonly #drains = new Map<string, () => void>();
  readonly #questions = new Map<number, (answer: Answer | undefined) => void>();
  readonly #stop = new AbortController();
  #channel: RouterChannel | undefined;
  #connecting: Promise<void> | undefined;
  #table: RouteTable | undefined;
  #pid: number | undefined;
  #lastId = 0;

  /** `onLost` hears of connections to a generation that broke. */
  constructor(
    path: string,
    onLost: (packageName: string, generation: number, reason: string) => void,
    dial: DialRouter = dialRouter,
    clock: Clock = realClock,
  ) {
    this.#path = path;
    this.#dial = dial;
    this.#clock = clock;
    this.#onLost = onLost;
  }

  /** Makes `table` the router's, now or as soon as there is one. */
  publish(table: RouteTable): void {
    this.#table = table;
    if (this.#channel === undefined) this.reconnect();
    else this.#channel.send({ type: "table", table });
  }

  /** Connects when it is not connected; called when the holder tells of a new router. */
  reconnect(): void {
    // Failures are retried until the link is disposed, which ends it quietly.
    this.#connecting ??= this.#connect().catch(() => {});
  }

  /** Resolves when the router has no open call to that generation, or after `timeoutMs`. */
  async drain(packageName: string, generation: number, timeoutMs: number): Promise<void> {
    if (this.#channel === undefined) await this.#connectedWithin(Math.min(timeoutMs, firstConnectMs));
    const channel = this.#channel;
    if (channel === undefined) return; // a router that is away holds no calls
    const key = `${packageName}/${generation}`;
    await new Promise<void>((resolve) => {
      this.#drains.set(key, resolve);
      channel.send({ type: "drain", package: packageName, generation, timeoutMs });
    });
    this.#drains.delete(key);
  }

  /** Ends the connections to a generation that does not answer; without a router there are none. */
  cut(packageName: string, generation: number, reason: string): void {
    this.#channel?.send({ type: "cut", package: packageName, generation, reason });
  }

  /** The router's process, while it is connected. */
  processes(): readonly { readonly package: string; readonly pid: number }[] {
    return this.#pid === undefined ? [] : [{ package: "router", pid: this.#pid }];
  }

  /** What the router counted; undefined while it is away or silent. */
  async counters(): Promise<RouterCounters | undefined> {
    const answer = await this.#ask((id) => ({ type: "counters", id }));
    return answer?.type === "counters" ? answer.counters : undefined;
  }

  /** The calls that a generation has, or had when it was lost; undefined while the router is away or silent. */
  async callsInFlight(packageName: string, generation: number): Promise<CallsInFlight | undefined> {
    const answer = await this.#ask((id) => ({ type: "in-flight", id, package: packageName, generation }));
    return answer?.type === "in-flight" ? answer : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new HostError("canceled", "control is stopping"));
    this.#channel?.close();
    await this.#connecting;
  }

  async #ask(question: (id: number) => Question): Promise<Answer | undefined> {
    const channel = this.#channel;
    if (channel === undefined) return undefined;
    const id = ++this.#lastId;
    const answer = await new Promise<Answer | undefined>((resolve) => {
      const timer = this.#clock.setTimer(() => resolve(undefined), answerTimeoutMs);
      this.#questions.set(id, (found) => {
        this.#clock.clearTimer(timer);
        resolve(found);
      });
      channel.send(question(id));
    });
    this.#questions.delete(id);
    return answer;
  }

  async #connect(): Promise<void> {
    const { signal } = this.#stop;
    try {
      const listener = {
        onMessage: (message: RouterToControl) => this.#receive(message),
        onClosed: () => this.#lose(channel),
      };
      const channel = await this.#dial(this.#path, listener, signal);
      this.#channel = channel;
      if (this.#table !== undefined) channel.send({ type: "table", table: this.#table });
    } finally {
      this.#connecting = undefined;
    }
  }

  #connectedWithin(ms: number): Promise<void> {
    const connecting = this.#connecting;
    if (connecting === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(resolve, ms);
      void connecting.then(() => {
        this.#clock.clearTimer(timer);
        resolve();
      });
    });
  }

  #lose(channel: RouterChannel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#pid = undefined;
    for (const settle of this.#drains.values()) settle();
    for (const settle of this.#questions.values()) settle(undefined);
    if (!this.#stop.signal.aborted) this.reconnect();
  }

  #receive(message: RouterToControl): void {
    switch (message.type) {
      case "hello":
        this.#pid = message.pid;
        return;
      case "applied":
        return;
      case "drained":
        this.#drains.get(`${message.package}/${message.generation}`)?.();
        return;
      case "lost":
        this.#onLost(message.package, message.generation, message.reason);
        return;
      case "counters":
      case "in-flight":
        this.#questions.get(message.id)?.(message);
    }
  }
}

async function dialRouter(
  path: string,
  listener: LineChannelListener<RouterToControl>,
  signal: AbortSignal,
): Promise<RouterChannel> {
  const socket = await pRetry(() => connectTo(path), {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 5,
    maxTimeout: 200,
    signal,
  });
  return new LineChannel(socket, listener);
}

function connectTo(path: string): Promise<import("node:net").Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.once("error", reject);
  });
}
