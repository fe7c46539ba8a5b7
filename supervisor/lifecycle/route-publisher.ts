import { type Clock, realClock } from "../clock.ts";
import type { RouteTable, RouterLimits } from "../router/route-table.ts";
import type { RouterLink } from "../links/router-link.ts";
import type { Fleet } from "./fleet.ts";
import { routeRow } from "./route-rows.ts";

export interface RouteFacts {
  readonly epoch: number;
  readonly bootWaitMs: number;
  readonly limits: RouterLimits;
  /** Main socket, control's own services included. */
  readonly routes: Readonly<Record<string, string>>;
  readonly choices: RouteTable["choices"];
  readonly hostServices: Readonly<Record<string, string>>;
  /** Control's own row. */
  readonly control: {
    readonly name: string;
    readonly socket: string;
    readonly serves: readonly string[];
    /** Methods that only read. */
    readonly reads: readonly string[];
  };
}

/** During the boot, at most one part in so many of control's time goes into tables. */
const bootShare = 10;

/**
 * Keeps the router's table true: one new table for all changes of one turn of the loop. While a large host boots, each
 * package changes several times in turns of its own, and a table holds them all: then the next one waits until the last
 * has been worth its while.
 */
export class RoutePublisher {
  readonly #facts: RouteFacts;
  readonly #link: RouterLink;
  readonly #clock: Clock;
  #fleet: Fleet | undefined;
  #booting = true;
  #controlServes = false;
  #seq = 0;
  #scheduled = false;
  /** When the next table may go out. */
  #nextMs = 0;

  constructor(facts: RouteFacts, link: RouterLink, clock: Clock = realClock) {
    this.#facts = facts;
    this.#link = link;
    this.#clock = clock;
  }

  attach(fleet: Fleet): void {
    this.#fleet = fleet;
    this.schedule();
  }

  /** Control answers calls from now on. */
  controlServes(): void {
    this.#controlServes = true;
    this.schedule();
  }

  /** Services of no row are unknown from now on. */
  booted(): void {
    this.#booting = false;
    this.schedule();
  }

  /** Tells the router soon. Nothing before there is a fleet: the last control's table stands until then. */
  schedule(): void {
    if (this.#scheduled || this.#fleet === undefined) return;
    this.#scheduled = true;
    const waitMs = this.#booting ? Math.ceil(this.#nextMs - this.#clock.monotonic()) : 0;
    if (waitMs > 0) this.#clock.setTimer(() => this.#publish(), waitMs);
    else queueMicrotask(() => this.#publish());
  }

  #publish(): void {
    this.#scheduled = false;
    const startedMs = this.#clock.monotonic();
    this.#link.publish(this.#table());
    const now = this.#clock.monotonic();
    this.#nextMs = now + (now - startedMs) * (bootShare - 1);
  }

  #table(): RouteTable {
    const { epoch, bootWaitMs, limits, routes, choices, hostServices, control } = this.#facts;
    const fleet = this.#fleet;
    const rows = [...(fleet?.runners ?? [])].flatMap(([name, runner]) => {
      const plan = fleet?.plan(name);
      return plan === undefined ? [] : [[name, routeRow(plan, runner)] as const];
    });
    return {
      epoch,
      seq: ++this.#seq,
      booting: this.#booting,
      bootWaitMs,
      limits,
      routes,
      choices,
      hostServices,
      packages: { ...Object.fromEntries(rows), [control.name]: this.#controlRow(epoch) },
    };
  }

  #controlRow(epoch: number) {
    const { socket, serves, reads } = this.#facts.control;
    return {
      generation: epoch,
      socket: this.#controlServes ? socket : undefined,
      state: this.#controlServes ? ("open" as const) : ("parked" as const),
      reason: "",
      lifecycle: this.#controlServes ? "ready" : "starting",
      parking: { policy: "park" as const, calls: 1000, bytes: 16 * 1024 * 1024, timeMs: 5000 },
      methods: Object.fromEntries(reads.map((path) => [path, { idempotent: true }])),
      calls: {},
      redirects: [],
      serves,
    };
  }
}
