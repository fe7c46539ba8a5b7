import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { sendDescriptor, socketpair, unixListen } from "#linux";
import { JsonLines } from "../../../../supervisor/router/json-lines.ts";
import type { HolderToRouter, RouterToHolder } from "../../../../supervisor/holder/messages.ts";
import type {
  ControlToRouter,
  PackageRow,
  RouterCounters,
  RouterToControl,
  RouteTable,
} from "../../../../supervisor/router/route-table.ts";
import { Mailbox } from "./mailbox.ts";

const sources = new URL("../../../../supervisor/router/main.ts", import.meta.url).pathname;
const deadlineMs = 10_000;

export interface RouterProcessOptions {
  /** Its state folder; default: one of its own. */
  readonly folder?: string;
  readonly nodeFlags?: readonly string[];
  /** More of its environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Default: the sources. */
  readonly main?: string;
  /** A listener that routers share, as `listenIn` opens it; stays the caller's. */
  readonly listener?: number;
}

/** Opens the main listener of routers in `folder`, as the holder does. */
export function listenIn(folder: string): number {
  return unixListen(mainSocketIn(folder), { backlog: 4096, mode: 0o660 });
}

function mainSocketIn(folder: string): string {
  return join(folder, "main.sock");
}

/** A real router process, with this test as its holder and control. Owns: the process, its folder and sockets. */
export class RouterProcess implements AsyncDisposable {
  readonly folder: string;
  readonly mainSocket: string;
  readonly fromRouter = new Mailbox<RouterToControl>(deadlineMs);
  readonly child: ChildProcess;
  readonly #fromHolder = new Mailbox<RouterToHolder>(deadlineMs);
  readonly #holder: JsonLines<RouterToHolder, HolderToRouter>;
  readonly #descriptors: number;
  #control: { socket: Socket; lines: JsonLines<RouterToControl, ControlToRouter> } | undefined;
  #seq = 0;
  #counters = 0;

  private constructor(folder: string, words: readonly string[], { listener: shared, env }: RouterProcessOptions) {
    this.folder = folder;
    this.mainSocket = mainSocketIn(folder);
    const listener = shared ?? listenIn(folder);
    const ttrpc = unixListen(`${this.mainSocket}.ttrpc`, { backlog: 16, mode: 0o660 });
    const [ours, theirs] = socketpair("seqpacket");
    this.#descriptors = ours;
    this.child = spawn(process.execPath, [...words], {
      stdio: ["ignore", "inherit", "inherit", "pipe", theirs, listener, ttrpc],
      env: { ...process.env, ...env },
    });
    for (const fd of [ttrpc, theirs]) closeSync(fd);
    if (shared === undefined) closeSync(listener);
    const channel = this.child.stdio[3] as Socket;
    channel.on("error", () => {});
    this.#holder = new JsonLines(channel, (message) => this.#fromHolder.put(message));
  }

  /** Starts a router and connects as control; it has no table yet, but that of a router before it in its folder. */
  static async start(options: RouterProcessOptions = {}): Promise<RouterProcess> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), "bulkhead-router-"));
    const router = new RouterProcess(folder, [...(options.nodeFlags ?? []), options.main ?? sources], options);
    const addresses = { main: router.mainSocket, ttrpc: `${router.mainSocket}.ttrpc` };
    router.#holder.send({ type: "start", epoch: 1, state: folder, addresses });
    await router.#fromHolder.take((message) => message.type === "ready");
    await router.connectControl();
    return router;
  }

  async connectControl(): Promise<void> {
    const socket = connect(join(this.folder, "router.sock"));
    socket.on("error", () => {});
    const lines = new JsonLines<RouterToControl, ControlToRouter>(socket, (message) => this.fromRouter.put(message));
    this.#control = { socket, lines };
    await this.fromRouter.take((message) => message.type === "hello");
  }

  disconnectControl(): void {
    this.#control?.socket.destroy();
  }

  send(message: ControlToRouter): void {
    this.#control?.lines.send(message);
  }

  tell(message: HolderToRouter): void {
    this.#holder.send(message);
  }

  async ping(): Promise<void> {
    this.tell({ type: "ping", id: 7 });
    await this.#fromHolder.take((message) => message.type === "pong");
  }

  /** Sends a table made of `parts` and waits until it is applied. */
  async apply(parts: Partial<RouteTable>): Promise<void> {
    const seq = ++this.#seq;
    this.send({ type: "table", table: { ...emptyTable, ...parts, epoch: parts.epoch ?? 1, seq } });
    await this.fromRouter.take((message) => message.type === "applied" && message.seq === seq);
  }

  /** Hands the router a listener for a package's host socket; answers its path. */
  openHostSocket(packageName: string): string {
    const path = join(this.folder, `host-${packageName}.sock`);
    const listener = unixListen(path, { backlog: 64, mode: 0o600 });
    sendDescriptor(this.#descriptors, listener);
    closeSync(listener);
    this.tell({ type: "host-listener", package: packageName, path });
    return path;
  }

  async counters(): Promise<RouterCounters> {
    const id = ++this.#counters;
    this.send({ type: "counters", id });
    const answer = await this.fromRouter.take((message) => message.type === "counters" && message.id === id);
    if (answer.type !== "counters") throw new Error("unreachable");
    return answer.counters;
  }

  /** A path for a package's socket. */
  socketPath(name: string): string {
    return join(this.folder, `${name}.sock`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#control?.socket.destroy();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exited = once(this.child, "exit");
      this.child.kill("SIGKILL");
      await exited;
    }
    this.child.stdio[3]?.destroy();
    closeSync(this.#descriptors);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const emptyTable: RouteTable = {
  epoch: 1,
  seq: 0,
  booting: false,
  bootWaitMs: 5000,
  packages: {},
  routes: {},
  choices: {},
  hostServices: {},
  limits: { maxRecvMessageBytes: 16 << 20, maxSendMessageBytes: 16 << 20 },
};

/** A row of a package that is up at `socket`, changed by `parts`. */
export function row(socket: string | undefined, parts: Partial<PackageRow> = {}): PackageRow {
  return {
    generation: 1,
    socket,
    state: socket === undefined ? "parked" : "open",
    reason: "",
    lifecycle: socket === undefined ? "backoff" : "ready",
    parking: { policy: "park", calls: 1000, bytes: 16 << 20, timeMs: 5000 },
    methods: {},
    calls: {},
    redirects: [],
    serves: [],
    ...parts,
  };
}
