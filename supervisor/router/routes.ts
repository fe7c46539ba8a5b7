import type { ConnectionContext } from "./connection-context.ts";
import { Counters, type MethodCounter } from "./counters.ts";
import type { Call } from "./forward.ts";
import { ParkingLot } from "./parking.ts";
import type { Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import type { RouterCounters, RouteTable } from "./route-table.ts";
import { decide, forwardTo, type Caller, type Decision, type Forward } from "./routing.ts";
import { Target, type TargetOwner } from "./target.ts";

/**
 * What the last table made of this router: a target for each package, and calls that wait for the end of the boot.
 * Owns: the targets.
 */
export class Routes {
  readonly context: ConnectionContext;
  readonly counters: Counters;
  readonly targets = new Map<string, Target>();
  /** Called after each call's end. */
  onEnded: (call: Call) => void = () => {};
  readonly #owner: TargetOwner;
  readonly #boot: ParkingLot;
  #table: RouteTable | undefined;
  #stamp = 0;

  constructor(context: ConnectionContext, owner: TargetOwner) {
    this.context = context;
    this.counters = new Counters(context.limits.countedMethods);
    this.#owner = owner;
    this.#boot = new ParkingLot(context.clock);
  }

  get table(): RouteTable | undefined {
    return this.#table;
  }

  /** All counters, calls that wait included. */
  countersNow(): RouterCounters {
    return this.counters.snapshot(this.#waiting());
  }

  /** Takes a table; calls that waited for what it brings go on. */
  apply(table: RouteTable): void {
    this.#table = table;
    this.#stamp++;
    for (const [name, target] of this.targets) {
      if (Object.hasOwn(table.packages, name)) continue;
      this.targets.delete(name);
      target.remove();
    }
    for (const [name, row] of Object.entries(table.packages)) {
      const known = this.targets.get(name);
      if (known === undefined) this.targets.set(name, new Target(name, row, this.context, this.#owner));
      else known.update(row);
    }
    this.#rouseBoot();
  }

  /** Where `head` goes; remembered in the head for as long as the table stands. */
  decide(caller: Caller, head: RequestHead): Decision {
    if (head.decision !== undefined && head.decisionStamp === this.#stamp) return head.decision;
    const table = this.#table;
    const decision: Decision =
      table === undefined
        ? { type: "refuse", refusal: { kind: "unavailable", message: "the router has no route table yet" } }
        : decide(table, this.targets, this.counters, caller, head);
    head.decision = decision;
    head.decisionStamp = this.#stamp;
    return decision;
  }

  /** The way of a redirected call, whose target is known. */
  redirectTo(target: Target, head: RequestHead): Forward {
    return forwardTo(target, this.counters, head);
  }

  /** Has `call` wait for the next table; `otherwise` is its answer when it cannot. */
  awaitBoot(call: Call, otherwise: Refusal): void {
    if (this.#boot.add(call, this.#bootBounds) !== undefined) call.refuse(otherwise);
  }

  /** Counts request bytes of a parked call; false: it is over its bound. */
  growParked(call: Call, bytes: number): boolean {
    const { target } = call;
    if (target === undefined) return this.#boot.grow(bytes, this.#bootBounds);
    return target.parked.grow(bytes, target.bounds);
  }

  /** Takes `call` out of where it waits. */
  unpark(call: Call): void {
    if (call.target === undefined) this.#boot.remove(call);
    else call.target.parked.remove(call);
  }

  /** Ends all connections to packages. */
  destroy(reason: string): void {
    for (const target of this.targets.values()) target.destroy(reason);
  }

  *#waiting(): Iterable<MethodCounter | undefined> {
    for (const call of this.#boot) yield (call as Call).counter;
    for (const target of this.targets.values()) for (const call of target.parked) yield (call as Call).counter;
  }

  get #bootBounds() {
    const { waitingCalls, heldBytes } = this.context.limits;
    return { calls: waitingCalls, bytes: heldBytes, timeMs: this.#table?.bootWaitMs ?? 0 };
  }

  /** Sends on the way whoever waited for a table. */
  #rouseBoot(): void {
    for (const call of [...this.#boot] as Call[]) {
      this.#boot.remove(call);
      call.route();
    }
  }
}
