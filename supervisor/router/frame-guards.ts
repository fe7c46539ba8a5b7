import { FloodGuard } from "./flood-guard.ts";
import type { Limits } from "./limits.ts";
import type { TurnBudget } from "./turn-budget.ts";

/** The most that a peer sends, besides DATA with bytes, on a stream that was reset under it. */
const crossingFrames = 8;

/**
 * Bounds frames of one connection that carry nothing but cost work. Useful frames (calls begun, DATA with bytes) earn
 * as many empty ones and PINGs, since peers send PING and WINDOW_UPDATE along with traffic; beyond those a fixed number
 * a second may come. They also shorten the turn of who sends them. Each counter is made when it is first needed. All throw ConnectionError (ENHANCE_YOUR_CALM).
 */
export class FrameGuards {
  readonly #budget: TurnBudget;
  readonly #limits: Limits;
  readonly #now: () => number;
  #empty: FloodGuard | undefined;
  #pings: FloodGuard | undefined;
  #settings: FloodGuard | undefined;
  #continuations: FloodGuard | undefined;
  #crumbs: FloodGuard | undefined;
  #resets: FloodGuard | undefined;
  #crossing = 0;

  /** @param now milliseconds, monotonic. */
  constructor(limits: Limits, now: () => number, budget: TurnBudget) {
    this.#budget = budget;
    this.#limits = limits;
    this.#now = now;
  }

  useful(): void {
    this.#empty?.earn();
    this.#pings?.earn();
  }

  /** DATA went out: grpc-go answers each with a PING to measure the connection. */
  sentData(): void {
    this.#pings?.earn();
  }

  /** Counts a frame of no use. */
  empty(): void {
    this.#budget.waste();
    (this.#empty ??= new FloodGuard("empty frames", this.#limits.emptyFramesPerSecond, this.#now)).spend();
  }

  ping(): void {
    this.#budget.waste();
    (this.#pings ??= new FloodGuard("PING frames", this.#limits.pingsPerSecond, this.#now)).spend();
  }

  settings(): void {
    this.#budget.waste();
    (this.#settings ??= new FloodGuard("SETTINGS frames", this.#limits.settingsPerSecond, this.#now)).spend();
  }

  continuation(): void {
    this.#budget.waste();
    const { continuationsPerSecond } = this.#limits;
    (this.#continuations ??= new FloodGuard("CONTINUATION frames", continuationsPerSecond, this.#now)).spend();
  }

  /** Counts a WINDOW_UPDATE of a few bytes that has a few bytes sent: no traffic earns it. */
  crumb(): void {
    this.#budget.waste();
    (this.#crumbs ??= new FloodGuard("windows of a few bytes", this.#limits.emptyFramesPerSecond, this.#now)).spend();
  }

  /** Counts a call that its client began only to have it reset. */
  rapidReset(): void {
    this.#budget.waste();
    (this.#resets ??= new FloodGuard("calls begun and reset", this.#limits.resetsPerSecond, this.#now)).spend();
  }

  /** A stream was reset here: what its peer sends before it knows is no flood. */
  crossed(): void {
    this.#crossing += crossingFrames;
  }

  /** Counts a frame on a stream that is gone. */
  late(): void {
    if (this.#crossing > 0) this.#crossing--;
    else this.empty();
  }
}
