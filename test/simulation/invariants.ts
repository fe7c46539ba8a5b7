import type { Fleet } from "../../supervisor/lifecycle/fleet.ts";
import type { PackageRunner } from "../../supervisor/lifecycle/package-runner.ts";
import type { PackagePlan } from "../../supervisor/lifecycle/plan.ts";
import type { StateName } from "../../supervisor/lifecycle/states.ts";
import type { ParkedCall } from "../../supervisor/router/parking.ts";
import { waitingCalls, type SimRouter } from "./calls/sim-router.ts";
import { legalMoves } from "./legal-moves.ts";
import type { Machine } from "./machine/machine.ts";
import type { SimProcess } from "./machine/sim-process.ts";
import type { SimControl } from "./sim-control.ts";

/** An exit shows within so long. */
const exitShowsMs = 1000;
/** What the watchdog may take beyond its interval times its misses, and what the simulation's ways take. */
const verdictMs = 500;
const waysMs = 20;

/** What must never be true, looked at after each thing that happens. Throws when it is. */
export class Invariants {
  readonly #machine: Machine;
  /** Before that nothing is said of how long something lasts: time stood still, or control was away. */
  #calmSinceMs = 0;
  /** Packages that have been ready, or have failed to, in each life of control. */
  readonly #hadTurn = new WeakMap<SimControl, Set<string>>();
  readonly #overdueMs = new WeakMap<ParkedCall, number>();

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Time stood still, or somebody else began to watch. */
  disturbed(untilMs: number): void {
    this.#calmSinceMs = Math.max(this.#calmSinceMs, untilMs);
  }

  /** A package went from one state to another. */
  moved(runner: PackageRunner, from: StateName, control: SimControl): void {
    const { state, manifest } = runner;
    if (state !== "waiting" && !onTheWay.has(state)) this.#noteTurn(control, manifest.name);
    if (state !== from && !legalMoves[from].includes(state)) broken(`${manifest.name} went from ${from} to ${state}`);
    if (state === "stopping" && runner.reason.startsWith("no answer")) this.#checkVerdict(runner);
  }

  #noteTurn(control: SimControl, name: string): void {
    const had = this.#hadTurn.get(control) ?? new Set();
    this.#hadTurn.set(control, had.add(name));
  }

  /** A process is about to be started. */
  starting(plan: PackagePlan, control: SimControl, machine: Machine): void {
    const { name, singleton } = plan.manifest;
    for (const { item, providers } of plan.requirements) {
      if (!providers.some((each) => control.fleet.runners.get(each)?.ready === true)) {
        broken(`${name} starts though nothing that it requires as ${item} is ready`);
      }
    }
    const older = machine.instancesOf(name);
    if (singleton && older.length > 0) {
      broken(`${name} is a singleton and starts while ${older.map(describe).join(" and ")} lives`);
    }
    const generations = older.map((each) => each.facts.instance?.generation ?? 0);
    if (generations.includes(control.fleet.runners.get(name)?.generation ?? -1)) {
      broken(`${name} starts with a generation that lives already`);
    }
  }

  /** An instance is told what it is. */
  initializing({ manifest, wants }: PackagePlan, control: SimControl): void {
    if (control.booted) return; // from then on nobody waits for packages that it merely wants
    const had = this.#hadTurn.get(control);
    const late = wants.find((each) => had?.has(each) !== true && !hadItsTurn(each, control.fleet));
    if (late !== undefined) broken(`Init of ${manifest.name} comes before ${late}, which it wants, had its turn`);
  }

  /** Something of ours signals a process. */
  signalled(process: SimProcess, signal: string): void {
    if (process.isStranger) broken(`pid ${process.pid} is a stranger and got ${signal}`);
  }

  /** Everything that can be seen at any time. */
  check(control: SimControl | undefined, router: SimRouter | undefined): void {
    if (router !== undefined && !router.life.over) this.#checkParking(router);
    if (control === undefined || control.life.over) return;
    for (const runner of control.fleet.runners.values()) this.#checkRunner(runner, control);
  }

  #checkParking(router: SimRouter): void {
    for (const { name, parked, row } of router.core.routes.targets.values()) {
      if (parked.size > Math.max(row.parking.calls, waitingCalls)) {
        broken(`${parked.size} calls are parked for ${name}, whose bound is ${row.parking.calls}`);
      }
      let bytes = 0;
      for (const call of parked) {
        bytes += call.keptBytes;
        this.#checkDeadline(name, call);
      }
      if (bytes > row.parking.bytes) broken(`${bytes} bytes wait for ${name}, whose bound is ${row.parking.bytes}`);
    }
  }

  /** One that is overdue, maybe since it was handed over before, is refused before any time passes. */
  #checkDeadline(name: string, call: ParkedCall): void {
    const { nowMs } = this.#machine.timeline;
    if (call.deadlineMs === undefined || nowMs <= call.deadlineMs) return;
    const seenMs = this.#overdueMs.get(call) ?? nowMs;
    this.#overdueMs.set(call, seenMs);
    if (nowMs > seenMs) broken(`a call is parked for ${name} beyond its deadline`);
  }

  /** Slow is not dead, and what stood still together with its watchdog is not either. */
  #checkVerdict({ manifest, process }: PackageRunner): void {
    const identity = process?.process?.identity;
    const accused = identity === undefined ? undefined : this.#machine.everStarted(identity);
    if (accused?.answers === true) broken(`${manifest.name} answers and is replaced as if it did not`);
  }

  #checkRunner(runner: PackageRunner, control: SimControl): void {
    const identity = runner.process?.process?.identity;
    if (identity === undefined) return;
    const process = this.#machine.everStarted(identity);
    const { manifest, generation, ready } = runner;
    const owner = process?.facts.instance;
    if (process === undefined || owner?.package !== manifest.name || owner.generation !== generation) {
      return broken(`${manifest.name} takes pid ${identity.pid} for its generation ${generation}`);
    }
    if (process.inits > 1) broken(`Init of ${describe(process)} was repeated`);
    if (!ready) return;
    const calmMs = this.#machine.timeline.nowMs - Math.max(this.#calmSinceMs, control.startedMs);
    const forMs = (sinceMs: number): number => Math.min(calmMs, this.#machine.timeline.nowMs - sinceMs);
    if (!process.alive && forMs(process.endedMs) > exitShowsMs) {
      broken(`${describe(process)} ended ${forMs(process.endedMs)} ms ago and is said to be ${runner.state}`);
    }
    const { intervalMs, misses } = manifest.watchdog;
    const within = intervalMs * misses + verdictMs + waysMs;
    if (
      process.alive &&
      process.hungSinceMs !== undefined &&
      forMs(
        Math.max(
          process.hungSinceMs,
          runner.view().sinceMs - this.#machine.timeline.wallMs + this.#machine.timeline.nowMs,
        ),
      ) > within
    ) {
      broken(
        `${describe(process)} has not answered for ${forMs(process.hungSinceMs)} ms and is said to be ${runner.state}`,
      );
    }
  }
}

/** Whether whoever only wants a package need not wait any longer: it is not on its way, nor is all that it waits for. */
function hadItsTurn(name: string, fleet: Fleet): boolean {
  const state = fleet.runners.get(name)?.state;
  if (state !== "waiting") return state === undefined || !onTheWay.has(state);
  const missing = fleet
    .plan(name)
    ?.requirements.filter(({ providers }) => !providers.some((each) => fleet.runners.get(each)?.ready === true));
  return missing?.some(({ providers }) => !providers.some((each) => !hadItsTurn(each, fleet))) === true;
}

const onTheWay: ReadonlySet<StateName> = new Set(["declared", "starting", "initializing", "draining", "stopping"]);

/** Ends the run: something that must never be true is. */
export function broken(text: string): never {
  throw new Error(text);
}

function describe({ pid, facts }: SimProcess): string {
  return `${facts.instance?.package ?? "a stranger"} generation ${facts.instance?.generation ?? 0} (pid ${pid})`;
}
