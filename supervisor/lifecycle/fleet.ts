import { HostError } from "#proto/wire/errors.ts";
import { uriOf } from "../config/manifest.ts";
import type { PackageView } from "../status.ts";
import type { PackagePlan, Requirement } from "./plan.ts";
import { PackageRunner } from "./package-runner.ts";
import type { RunnerHost } from "./runner-host.ts";
import type { StateName } from "./states.ts";

/** What a fleet adds to its runners itself. */
export type FleetHost = Omit<RunnerHost, "requirementsMet" | "missingRequirements" | "orderReached" | "changed">;

export interface FleetOptions {
  /** In boot order. */
  readonly plans: readonly PackagePlan[];
  /** Last generation that ever ran, by package. */
  readonly lastGenerations: ReadonlyMap<string, number>;
  readonly host: FleetHost;
  /** Called after each change, with the runner and the state it left. */
  readonly onChange: (runner: PackageRunner, from: StateName) => void;
}

/** States in which a package has had its turn: whoever only wants it need not wait any longer. */
const settledStates: ReadonlySet<StateName> = new Set([
  "ready",
  "unhealthy",
  "backoff",
  "stopped",
  "skipped",
  "failed",
  "disabled",
  "on-demand",
]);

/** Whether waiting longer would change nothing by itself. */
function hasFinalWord(runner: PackageRunner | undefined): boolean {
  return runner === undefined || runner.ready || ["skipped", "failed", "disabled", "stopped"].includes(runner.state);
}

/** Every package, started by graph order and stopped in reverse. Owns: the runners. */
export class Fleet {
  readonly runners: ReadonlyMap<string, PackageRunner>;
  readonly #plans: ReadonlyMap<string, PackagePlan>;
  readonly #onChange: FleetOptions["onChange"];
  readonly #watchers = new Set<() => void>();
  /** Packages whose old instance is being looked at. */
  readonly #unsettled = new Set<string>();
  #orderHolds = true;
  #stopping = false;

  constructor({ plans, lastGenerations, host, onChange }: FleetOptions) {
    this.#onChange = onChange;
    this.#plans = new Map(plans.map((plan) => [plan.manifest.name, plan]));
    const runnerHost: RunnerHost = {
      ...host,
      requirementsMet: (name: string) => this.#missing(name).length === 0,
      missingRequirements: (name: string) => this.#describeMissing(name),
      orderReached: (name: string, signal: AbortSignal) => this.#orderReached(name, signal),
      changed: (runner: PackageRunner, from: StateName) => this.#changed(runner, from),
    };
    this.runners = new Map(
      plans.map(({ manifest, initial }) => [
        manifest.name,
        new PackageRunner(manifest, runnerHost, initial.state, initial.reason, lastGenerations.get(manifest.name) ?? 0),
      ]),
    );
  }

  plan(name: string): PackagePlan | undefined {
    return this.#plans.get(name);
  }

  /** Nothing of that package is started or stopped before `settling` is fulfilled: an old instance may yet be adopted. */
  async settleFirst(name: string, settling: Promise<unknown>): Promise<void> {
    this.#unsettled.add(name);
    await settling;
    this.#unsettled.delete(name);
    this.#wake();
  }

  /** Starts everything that may run and does not yet; what it requires or wants decides when. */
  start(): void {
    for (const name of this.runners.keys()) this.startOne(name);
  }

  startOne(name: string): void {
    if (this.#stopping) return;
    if (this.#plans.get(name)?.initial.state === "declared") this.runners.get(name)?.dispatch({ type: "start" });
  }

  /** Starts one, or restarts what was adopted and would be started otherwise today. */
  startOrRenew(name: string): void {
    if (this.#stopping) return;
    if (this.runners.get(name)?.changed === true) this.runners.get(name)?.dispatch({ type: "restart" });
    else this.startOne(name);
  }

  /** Resolves when every package has had its turn once, and those in `required` have their final word. */
  async settled(required: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const had = ([name, runner]: [string, PackageRunner]): boolean =>
      required.has(name) ? hasFinalWord(runner) : this.#hadItsTurn(name);
    await this.#until(() => [...this.runners].every(had), signal);
  }

  /** Resolves when the packages are ready or given up, however long it takes. */
  async finished(names: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    await this.#until(() => [...names].every((name) => hasFinalWord(this.runners.get(name))), signal);
  }

  /** Why a required plugin is not there, in containerd's words; undefined: it is ready. */
  failureOf(uri: string): string | undefined {
    const runner = [...this.runners.values()].find((each) =>
      each.manifest.plugins.some((plugin) => uriOf(plugin) === uri),
    );
    if (runner === undefined) return `load required plugin ${uri}: no package has it`;
    const outcome = runner.outcome(uri);
    if (runner.ready && (outcome === undefined || outcome.outcome === "ok")) return undefined;
    const reason = outcome !== undefined && outcome.outcome !== "ok" ? outcome.reason : runner.reason;
    return `load required plugin ${uri}: ${reason === "" ? runner.state : reason}`;
  }

  /** From now on Init waits for nobody that is merely wanted. */
  releaseOrder(): void {
    this.#orderHolds = false;
    this.#wake();
  }

  /** Stops all, each after those that need it; resolves when every process has ended. Nothing starts any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const stopping = new Map<string, Promise<void>>();
    const stopOne = (name: string): Promise<void> => {
      let stopped = stopping.get(name);
      if (stopped === undefined) {
        stopped = this.#stopAfterDependents(name, stopOne);
        stopping.set(name, stopped);
      }
      return stopped;
    };
    await Promise.all([...this.runners.keys()].map(stopOne));
  }

  /** Ends drains and grace periods at once. */
  hasten(): void {
    for (const runner of this.runners.values()) {
      runner.dispatch({ type: "drained" });
      runner.dispatch({ type: "grace-over" });
    }
  }

  /** Stops in order and starts the next generation. Rejects with why it did not get ready, or when `signal` aborts. */
  async restart(name: string, signal: AbortSignal): Promise<void> {
    const runner = this.runners.get(name);
    if (runner === undefined) throw new HostError("not-found", `package ${name} is not known`);
    if (runner.state === "disabled") {
      throw new HostError("failed-precondition", `restart ${name}: it is disabled, see disabled_plugins in the config`);
    }
    const initial = this.#plans.get(name)?.initial;
    if (initial?.state === "failed") {
      throw new HostError(
        "failed-precondition",
        `restart ${name}: ${initial.reason}; mend that and restart the daemon`,
      );
    }
    await this.#until(() => !this.#unsettled.has(name), signal);
    if (this.#stopping) throw new HostError("unavailable", `restart ${name}: the daemon is stopping`);
    const before = runner.generation;
    runner.dispatch({ type: "restart" });
    const over: ReadonlySet<StateName> = new Set(["backoff", "waiting", "skipped", "failed", "stopped", "disabled"]);
    await runner.until((state) => (runner.ready && runner.generation > before) || over.has(state), signal);
    if (!runner.ready) throw new HostError("unavailable", `restart ${name}: ${runner.state}: ${runner.reason}`);
  }

  views(): PackageView[] {
    return [...this.runners.values()].map((runner) => runner.view());
  }

  async #stopAfterDependents(name: string, stopOne: (name: string) => Promise<void>): Promise<void> {
    const dependents = [...this.#plans.values()].filter(
      ({ manifest, initial, requirements, wants }) =>
        manifest.name !== name &&
        initial.state === "declared" && // the others never run; members of a cycle are among them
        (wants.includes(name) || requirements.some(({ providers }) => providers.includes(name))),
    );
    await Promise.all(dependents.map(({ manifest }) => stopOne(manifest.name)));
    await this.#until(() => !this.#unsettled.has(name));
    const runner = this.runners.get(name);
    runner?.dispatch({ type: "stop" });
    await runner?.until((state) => state === "stopped" || state === "disabled");
  }

  #missing(name: string): Requirement[] {
    const requirements = this.#plans.get(name)?.requirements ?? [];
    return requirements.filter(({ item, providers }) => !providers.some((each) => this.#provides(each, item)));
  }

  /** Whether a package is ready and a plugin of it that `item` means is, too. */
  #provides(name: string, item: string): boolean {
    const runner = this.runners.get(name);
    if (runner?.ready !== true) return false;
    return runner.manifest.plugins.some(
      (plugin) =>
        (item === "*" || item === plugin.type || item === uriOf(plugin)) &&
        runner.outcome(uriOf(plugin))?.outcome === "ok",
    );
  }

  #describeMissing(name: string): string {
    const texts = this.#missing(name).map(({ item, providers }) =>
      providers.length === 0
        ? `${item}, which no installed package has`
        : `${item} (${providers.map((each) => `${each} is ${this.#describe(each, item)}`).join(", ")})`,
    );
    return texts.length === 0 ? "" : `waiting for ${texts.join(" and ")}`;
  }

  /** A provider's state, its plugin's own where that is worse. */
  #describe(name: string, item: string): string {
    const runner = this.runners.get(name);
    if (runner?.ready !== true) return runner?.state ?? "unknown";
    const meant = runner.manifest.plugins.filter((plugin) => item === plugin.type || item === uriOf(plugin));
    const outcome = meant.map((plugin) => runner.outcome(uriOf(plugin))).find((each) => each?.outcome !== "ok");
    return outcome === undefined
      ? runner.state
      : `${runner.state}, but that plugin is ${outcome.outcome}: ${outcome.reason}`;
  }

  async #orderReached(name: string, signal: AbortSignal): Promise<void> {
    const wanted = this.#plans.get(name)?.wants ?? [];
    await this.#until(() => !this.#orderHolds || wanted.every((each) => this.#hadItsTurn(each)), signal);
  }

  /** One that waits has had its turn only if something it waits for has had it, too, in vain: else it is about to start. */
  #hadItsTurn(name: string): boolean {
    const state = this.runners.get(name)?.state;
    if (state !== "waiting") return state === undefined || settledStates.has(state);
    return this.#missing(name).some(({ providers }) => providers.every((each) => this.#hadItsTurn(each)));
  }

  #changed(runner: PackageRunner, from: StateName): void {
    this.#onChange(runner, from);
    if (runner.state === from) return;
    if (runner.ready) this.#unblock(runner, from);
    this.#wake();
  }

  /** Starts what waited for it, and what could not live without it and was given up or put off. */
  #unblock(provider: PackageRunner, from: StateName): void {
    const { name } = provider.manifest;
    const cameBack = from !== "ready" && from !== "unhealthy";
    for (const [other, runner] of this.runners) {
      const blocked = runner.state === "waiting" || (cameBack && this.#suffered(other, name));
      if (blocked && this.#missing(other).length === 0) runner.dispatch({ type: "requirements-met" });
    }
  }

  #suffered(name: string, provider: string): boolean {
    const state = this.runners.get(name)?.state;
    const plan = this.#plans.get(name);
    if ((state !== "backoff" && state !== "failed") || plan?.initial.state !== "declared") return false;
    return plan.requirements.some(({ providers }) => providers.includes(provider));
  }

  #wake(): void {
    for (const wake of this.#watchers) wake();
  }

  async #until(reached: () => boolean, signal?: AbortSignal): Promise<void> {
    if (reached()) return;
    await new Promise<void>((resolve, reject) => {
      const finish = (): void => {
        this.#watchers.delete(wake);
        signal?.removeEventListener("abort", abort);
      };
      const wake = (): void => {
        if (!reached()) return;
        finish();
        resolve();
      };
      const abort = (): void => {
        finish();
        reject(signal?.reason as Error);
      };
      this.#watchers.add(wake);
      if (signal?.aborted === true) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
  }
}
