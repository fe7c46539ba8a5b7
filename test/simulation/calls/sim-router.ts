import { ClientConnection, type ClientOwner } from "../../../supervisor/router/client-connection.ts";
import { Call } from "../../../supervisor/router/forward.ts";
import { defaultLimits } from "../../../supervisor/router/limits.ts";
import type { RequestHead } from "../../../supervisor/router/request-head.ts";
import type { ControlToRouter, RouterToControl, RouteTable } from "../../../supervisor/router/route-table.ts";
import { RouterCore } from "../../../supervisor/router/router-core.ts";
import { TurnFlusher } from "../../../supervisor/router/turn-flusher.ts";
import type { Machine } from "../machine/machine.ts";
import { Endpoint } from "../machine/network.ts";
import type { SimProcess } from "../machine/sim-process.ts";
import { Life } from "../machine/timeline.ts";
import { PackageServer } from "./package-server.ts";

/** Calls that may wait for a connection to an open generation: few, so that the bound is met. */
export const waitingCalls = 12;
const keptTable = "/state/routes";
const caller = { packageName: undefined, label: "uid:0" };
const longestConnectMs = 3;
const longestWriteMs = 20;

/** One life of the router: its real core and connections, on simulated time, sockets and disk. */
export class SimRouter implements ClientOwner {
  readonly life: Life;
  readonly core: RouterCore;
  readonly #machine: Machine;
  readonly #ends = new Set<Endpoint>();
  readonly #executed: (callId: string, process: SimProcess) => void;
  #unkept: RouteTable | undefined;
  #keeping = false;
  #answerControl: (message: RouterToControl) => void = () => {};

  constructor(machine: Machine, executed: (callId: string, process: SimProcess) => void) {
    this.#machine = machine;
    this.#executed = executed;
    const life = new Life(machine.timeline);
    this.life = life;
    this.core = new RouterCore(
      {
        clock: life,
        now: () => life.monotonic(),
        flusher: new TurnFlusher((run) => void life.setTimer(run, 0)),
        connect: (socket, connected, failed) => this.#connect(socket, connected, failed),
      },
      { send: (message) => this.#answerControl(message), keep: (table) => this.#keep(table) },
      { ...defaultLimits, waitingCalls },
    );
    const kept = machine.disk.files.get(keptTable);
    if (kept !== undefined) this.core.takeKept(JSON.parse(kept) as RouteTable);
  }

  /** It accepts nothing before it has a table. */
  get accepts(): boolean {
    return this.core.routes.table !== undefined;
  }

  /** Gives a client its end of a new connection. */
  accept(client: Life): Endpoint {
    const [far, near] = Endpoint.pair(client, this.life, this.#machine.chance);
    this.#ends.add(near);
    this.core.routes.counters.connections++;
    new ClientConnection(near, this.core.routes.context, this, caller);
    return far;
  }

  onRequest(connection: ClientConnection, streamId: number, head: RequestHead, endStream: boolean): void {
    new Call(this.core.routes, connection, streamId, head, endStream).route();
  }

  onGone(): void {
    this.core.routes.counters.connections--;
  }

  /** A line of control's. */
  onControl(message: ControlToRouter, answer: (message: RouterToControl) => void): void {
    this.#answerControl = answer;
    this.core.onControl(message, answer);
  }

  /** kill -9. */
  die(): void {
    this.life.end();
    for (const end of this.#ends) end.cut();
  }

  #connect(socket: string, connected: (transport: Endpoint) => void, failed: (reason: string) => void): void {
    const { chance } = this.#machine;
    this.life.setTimer(() => {
      const process = this.#machine.sockets.get(socket);
      if (process === undefined) return failed("ECONNREFUSED");
      const [near, far] = Endpoint.pair(this.life, process.life, chance);
      this.#ends.add(near);
      process.connections.add(far);
      const streams = chance.happens(0.3) ? chance.between(1, 3) : 100;
      new PackageServer(far, process, streams, () => chance.next(), this.#executed);
      connected(near);
    }, chance.next() * longestConnectMs);
  }

  #keep(table: RouteTable): void {
    this.#unkept = table;
    if (this.#keeping) return;
    this.#keeping = true;
    this.life.setTimer(() => {
      this.#keeping = false;
      if (!this.#machine.disk.full) this.#machine.disk.replace(keptTable, JSON.stringify(this.#unkept));
    }, this.#machine.chance.next() * longestWriteMs);
  }
}
