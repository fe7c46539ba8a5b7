import { BufferPool } from "./buffer-pool.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { Farewell } from "./farewell.ts";
import { HeldBytes } from "./held-bytes.ts";
import { InFlight } from "./in-flight.ts";
import { limitsWith, type Limits } from "./limits.ts";
import { refusalReset } from "./overflow.ts";
import type { ControlToRouter, RouterToControl, RouteTable } from "./route-table.ts";
import { Routes } from "./routes.ts";

/** What a router's core has around it. */
export interface CoreOwner {
  /** Tells control, if it is there. */
  send(message: RouterToControl): void;
  /** A table of control's is to be kept for the next router. */
  keep(table: RouteTable): void;
}

/**
 * What the router decides and answers, apart from the listeners, files and sockets around it: tables, drains, cuts,
 * questions. Owns: the routes.
 */
export class RouterCore {
  readonly routes: Routes;
  readonly #inFlight: InFlight;
  readonly #limits: Limits;
  readonly #context: ConnectionContext;
  readonly #owner: CoreOwner;
  /** The table came from the file: any table of a living control is newer. */
  #fromFile = false;

  constructor(
    outside: Pick<ConnectionContext, "flusher" | "clock" | "connect" | "now">,
    owner: CoreOwner,
    limits: Limits,
  ) {
    const held = new HeldBytes(limits.heldBytes);
    held.onOverflow = refusalReset;
    this.#owner = owner;
    this.#limits = limits;
    const farewell = new Farewell(outside.flusher, outside.now);
    this.#context = { ...outside, limits, openCalls: 0, farewell, held, pool: new BufferPool() };
    this.routes = new Routes(this.#context, {
      onLost: (packageName, generation, reason) =>
        owner.send({ type: "lost", package: packageName, generation, reason }),
      onBreaking: (packageName, generation, streams) => this.#inFlight.remember(packageName, generation, streams),
    });
    this.#inFlight = new InFlight(this.routes);
  }

  /** Takes the table that an earlier router kept. */
  takeKept(table: RouteTable): void {
    this.#fromFile = true;
    this.#take(table);
  }

  /** Epoch and number of control's last table; zeros: there was none. */
  get stamp(): { readonly epoch: number; readonly seq: number } {
    const table = this.#fromFile ? undefined : this.routes.table;
    return { epoch: table?.epoch ?? 0, seq: table?.seq ?? 0 };
  }

  /** Does what control asks. */
  onControl(message: ControlToRouter, answer: (message: RouterToControl) => void): void {
    switch (message.type) {
      case "table":
        if (this.#isStale(message.table)) return;
        this.#fromFile = false;
        this.#owner.keep(message.table);
        this.#take(message.table);
        return answer({ type: "applied", epoch: message.table.epoch, seq: message.table.seq });
      case "drain":
        return this.#inFlight.drain(message.package, message.generation, message.timeoutMs, (openCalls) =>
          answer({ type: "drained", package: message.package, generation: message.generation, openCalls }),
        );
      case "cut":
        return this.routes.targets.get(message.package)?.cut(message.generation, message.reason);
      case "counters":
        return answer({ type: "counters", id: message.id, counters: this.routes.countersNow() });
      case "in-flight":
        return answer({
          type: "in-flight",
          id: message.id,
          ...this.#inFlight.of(message.package, message.generation),
        });
    }
  }

  #take(table: RouteTable): void {
    const limits = limitsWith(this.#limits, table.limits.router ?? {});
    this.#context.limits = limits;
    this.#context.held.limitBytes = limits.heldBytes;
    this.routes.apply(table);
  }

  #isStale(table: RouteTable): boolean {
    const known = this.routes.table;
    if (known === undefined || this.#fromFile) return false;
    return table.epoch < known.epoch || (table.epoch === known.epoch && table.seq < known.seq);
  }
}
