import type { Socket } from "node:net";
import type { ListenerAddresses } from "../holder/messages.ts";
import { realClock } from "../clock.ts";
import { Clients } from "./clients.ts";
import { ControlLink } from "./control-link.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { NetTransport } from "./net-transport.ts";
import type { RouterToControl } from "./route-table.ts";
import { RouterCore } from "./router-core.ts";
import { RoutesFile } from "./routes-file.ts";
import type { Routes } from "./routes.ts";
import type { Caller } from "./routing.ts";
import { TurnFlusher } from "./turn-flusher.ts";

interface WaitingListener {
  readonly name: string;
  readonly fd: number;
  readonly callerOf: (socket: Socket) => Caller;
}

export interface RouterOptions {
  readonly stateFolder: string;
  readonly addresses: ListenerAddresses | undefined;
  /** A new holder has connected. */
  readonly onTakeOver: (socket: Socket) => void;
}

/**
 * The router without its process: listeners come in by descriptor, tables from control or the kept file.
 * It accepts nothing before it has a table; connections wait in the backlog. Owns: everything below.
 */
export class Router {
  readonly routes: Routes;
  readonly #clients: Clients;
  readonly #core: RouterCore;
  readonly #control: ControlLink;
  readonly #file: RoutesFile;
  readonly #stateFolder: string;
  #waiting: WaitingListener[] = [];

  constructor(options: RouterOptions, limits: Limits = defaultLimits) {
    const { stateFolder } = options;
    this.#file = new RoutesFile(stateFolder);
    this.#core = new RouterCore(
      {
        clock: realClock,
        now: () => performance.now(),
        flusher: new TurnFlusher(),
        connect: (socket, connected, failed) => NetTransport.connect(socket, connected, failed),
      },
      { send: (message) => this.#control.send(message), keep: (table) => this.#file.write(table) },
      limits,
    );
    this.routes = this.#core.routes;
    this.#clients = new Clients(this.routes);
    this.#stateFolder = stateFolder;
    this.#control = new ControlLink({
      hello: () => this.#hello(options.addresses),
      onTakeOver: options.onTakeOver,
      onMessage: (message, answer) => {
        this.#core.onControl(message, answer);
        if (message.type === "table") this.#onTable();
      },
    });
  }

  /** Takes the kept table if there is one and lets control connect; `listening` is called once it can. */
  start(listening: () => void): void {
    const kept = this.#file.read();
    if (kept !== undefined) {
      this.#core.takeKept(kept);
      this.#onTable();
    }
    this.#control.listen(this.#stateFolder, listening);
  }

  /** Accepts on `fd` as soon as there is a table. */
  listen(name: string, fd: number, callerOf: WaitingListener["callerOf"]): void {
    this.#waiting.push({ name, fd, callerOf });
    this.#openListeners();
  }

  /** Whether no call is open. */
  get isIdle(): boolean {
    return this.routes.counters.openCalls === 0;
  }

  /** GOAWAY to all clients; `done` is called when their calls have ended, or after `timeoutMs`. */
  stop(timeoutMs: number, done: () => void): void {
    const timer = setTimeout(done, timeoutMs);
    this.#clients.drain(() => {
      clearTimeout(timer);
      done();
    });
  }

  #hello(addresses: ListenerAddresses | undefined): RouterToControl {
    return { type: "hello", pid: process.pid, ...this.#core.stamp, addresses };
  }

  #onTable(): void {
    this.#clients.watchIdle();
    this.#openListeners();
  }

  #openListeners(): void {
    if (this.routes.table === undefined) return;
    for (const { name, fd, callerOf } of this.#waiting) this.#clients.listen(name, fd, callerOf);
    this.#waiting = [];
  }
}
