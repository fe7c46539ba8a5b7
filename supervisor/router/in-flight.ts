import type { Timer } from "../clock.ts";
import { Call } from "./forward.ts";
import { LostCalls } from "./lost-calls.ts";
import type { CallInFlight, CallsInFlight } from "./route-table.ts";
import type { Routes } from "./routes.ts";
import type { Stream } from "./stream.ts";

interface Drain {
  readonly packageName: string;
  readonly generation: number;
  readonly timer: Timer;
  readonly done: (openCalls: number) => void;
}

/** Knows the open calls of each generation, and waits for them to end. Owns: the drains' timers. */
export class InFlight {
  readonly #routes: Routes;
  readonly #drains = new Set<Drain>();
  readonly #lost: LostCalls;

  constructor(routes: Routes) {
    this.#routes = routes;
    this.#lost = new LostCalls(routes.context.limits.rememberedCalls);
    routes.onEnded = () => {
      if (this.#drains.size > 0) this.#check();
    };
  }

  /**
   * Cuts the unbounded calls of a generation and waits for the others, `timeoutMs` at most; `done` is told how many
   * are still open then.
   */
  drain(packageName: string, generation: number, timeoutMs: number, done: (openCalls: number) => void): void {
    for (const call of this.#calls(packageName, generation)) if (call.unbounded) call.cut();
    const { clock } = this.#routes.context;
    const drain: Drain = { packageName, generation, done, timer: clock.setTimer(() => this.#finish(drain), timeoutMs) };
    this.#drains.add(drain);
    this.#check();
  }

  /** A connection of that generation breaks under these streams: what they were is remembered. */
  remember(packageName: string, generation: number, streams: readonly Stream[]): void {
    this.#lost.add(packageName, generation, this.#describe(callsOf(streams)));
    this.#lost.retain(this.#routes.targets);
  }

  /** The calls that a generation has, and those it lost; at most `rememberedCalls` by name. */
  of(packageName: string, generation: number): CallsInFlight {
    const lost = this.#lost.of(packageName, generation);
    const open = this.#describe(this.#calls(packageName, generation));
    const calls = [...lost.calls, ...open].sort((a, b) => b.ageMs - a.ageMs);
    return {
      openCalls: lost.openCalls + open.length,
      calls: calls.slice(0, this.#routes.context.limits.rememberedCalls),
    };
  }

  #describe(calls: readonly Call[]): CallInFlight[] {
    const now = this.#routes.context.now();
    return calls.map((call) => call.describe(now));
  }

  #check(): void {
    for (const drain of this.#drains) {
      if (this.#calls(drain.packageName, drain.generation).length === 0) this.#finish(drain);
    }
  }

  #finish(drain: Drain): void {
    this.#routes.context.clock.clearTimer(drain.timer);
    if (this.#drains.delete(drain)) drain.done(this.#calls(drain.packageName, drain.generation).length);
  }

  #calls(packageName: string, generation: number): Call[] {
    return callsOf(this.#routes.targets.get(packageName)?.streamsOf(generation) ?? []);
  }
}

function callsOf(streams: readonly Stream[]): Call[] {
  return streams.map((stream) => stream.user).filter((user): user is Call => user instanceof Call);
}
