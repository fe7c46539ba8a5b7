import type { PackageRunner } from "../../supervisor/lifecycle/package-runner.ts";
import type { StateName } from "../../supervisor/lifecycle/states.ts";
import type { Graph } from "../../supervisor/graph/build-graph.ts";
import { SimClient, type Method, type SimCall } from "./calls/sim-client.ts";
import { SimRouter } from "./calls/sim-router.ts";
import { broken, Invariants } from "./invariants.ts";
import { faultyBehaviour, healthyBehaviour, type Behaviour } from "./machine/behaviour.ts";
import type { Chance } from "./machine/chance.ts";
import { Machine } from "./machine/machine.ts";
import type { SimProcess } from "./machine/sim-process.ts";
import type { Plants } from "./machine/sim-system.ts";
import { Life, settled } from "./machine/timeline.ts";
import { randomGraph } from "./random-packages.ts";
import { SimControl } from "./sim-control.ts";
import { Trace } from "./trace.ts";

const clients = 2;
/** How often a start goes wrong before there is a process. */
const failedSpawns = 0.04;
/** What an ordered stop of a chain of packages may take of which each ignores SIGTERM. */
const stopsWithinMs = 60_000;
/** What an executable's inode is that no package has. */
const strangeInode = 7;

/** One simulated host: machine, holder, control, router, packages, strangers, clients. What breaks an invariant throws. */
export class World {
  readonly chance: Chance;
  readonly machine: Machine;
  readonly trace: Trace;
  readonly graph: Graph;
  readonly invariants: Invariants;
  readonly clients: readonly SimClient[];
  control: SimControl | undefined;
  router: SimRouter | undefined;
  /** Things go wrong by themselves. */
  faulty = true;
  failure: unknown;
  readonly calls = new Map<string, SimCall>();
  /** How often each thing happened: faults by name, moves from state to state, answers by status. */
  readonly counts = new Map<string, number>();
  readonly #plants: Plants;
  readonly #holder: Life;
  #epoch = 0;
  #configVersion = 1;
  #stopping = false;

  constructor(chance: Chance, plants: Plants = {}) {
    this.chance = chance;
    this.#plants = plants;
    this.machine = new Machine(chance, {
      started: (process) => this.trace.add(`start ${nameOf(process)} pid ${process.pid}`),
      initializing: (process) => this.#look(() => this.#checkInit(process)),
      signalled: (process, signal) => {
        this.trace.add(`${signal} ${nameOf(process)} pid ${process.pid}`);
        this.#look(() => this.invariants.signalled(process, signal));
      },
      ended: (process) => this.trace.add(`end ${nameOf(process)} pid ${process.pid} ${JSON.stringify(process.exit)}`),
    });
    this.trace = new Trace(() => this.machine.timeline.nowMs);
    this.invariants = new Invariants(this.machine);
    this.#holder = new Life(this.machine.timeline);
    this.graph = randomGraph(chance);
    const onAnswer = (call: SimCall, outcome: string): void => this.#answered(call, outcome);
    this.clients = Array.from(
      { length: clients },
      () => new SimClient(this.machine.timeline, chance, () => this.router, onAnswer),
    );
    for (const { manifest, initial } of this.graph.plans) {
      this.trace.add(`package ${manifest.name} ${manifest.tier} ${initial.state} ${initial.reason}`);
    }
    this.startExternals();
    this.startRouter();
    this.startControl();
  }

  get names(): readonly string[] {
    return this.graph.plans.map(({ manifest }) => manifest.name);
  }

  /** Has everything happen that is due within `ms`, and looks at the invariants after each. */
  async advance(ms: number): Promise<void> {
    const { timeline } = this.machine;
    const untilMs = timeline.nowMs + ms;
    await settled();
    this.check();
    while (await timeline.step(untilMs)) this.check();
  }

  check(): void {
    if (this.failure !== undefined) throw this.failure as Error;
    this.invariants.check(this.control, this.router);
  }

  /** Packages that run, their own instances or left ones. */
  instances(): SimProcess[] {
    return [...this.machine.processes.values()].filter((process) => !process.isStranger);
  }

  /** A client's call; false: none would be accepted now. */
  call(packageName: string, method: Method, timeoutMs: number | undefined): boolean {
    const client = this.chance.pick(this.clients);
    const { nowMs } = this.machine.timeline;
    const id = `c${this.calls.size}`;
    const call: SimCall = {
      id,
      package: packageName,
      method,
      startedMs: nowMs,
      timeoutMs,
      executions: 0,
      outcome: undefined,
    };
    if (client?.call(call) !== true) return false;
    this.calls.set(id, call);
    this.trace.add(`call ${id} ${packageName}/${method} ${timeoutMs ?? "-"}`);
    return true;
  }

  /** kill -9 of control; the holder starts the next one. */
  killControl(awayMs: number): void {
    const { control } = this;
    if (control === undefined) return;
    this.trace.add("control dies");
    control.die();
    this.control = undefined;
    this.#holder.setTimer(() => this.startControl(), awayMs);
  }

  /** kill -9 of the router; the holder starts the next one. */
  killRouter(awayMs: number): void {
    const { router } = this;
    if (router === undefined) return;
    this.trace.add("router dies");
    router.die();
    this.router = undefined;
    this.#holder.setTimer(() => this.startRouter(), awayMs);
  }

  startControl(): void {
    if (this.control !== undefined) return;
    this.#epoch++;
    this.trace.add(`control starts, epoch ${this.#epoch}`);
    const control: SimControl = new SimControl({
      machine: this.machine,
      graph: this.graph,
      epoch: this.#epoch,
      configVersion: this.#configVersion,
      router: () => this.router,
      behaviour: () => this.#behaviour(),
      starting: ({ manifest }) => {
        const plan = this.graph.plans.find((each) => each.manifest.name === manifest.name);
        if (plan !== undefined) this.#look(() => this.invariants.starting(plan, control, this.machine));
      },
      changed: (runner, from) => this.#changed(runner, from, control),
      failed: (error) => (this.failure ??= error),
      plants: this.#plants,
    });
    this.control = control;
    void control.run().catch((error: unknown) => (this.failure ??= error));
  }

  startRouter(): void {
    if (this.router !== undefined) return;
    this.trace.add("router starts");
    this.router = new SimRouter(this.machine, (callId, process) => this.#executed(callId, process));
  }

  /** Whatever external packages need and does not run. */
  startExternals(): void {
    for (const { manifest } of this.graph.plans) {
      const { address } = manifest;
      if (address === undefined || this.machine.sockets.has(address)) continue;
      this.machine.start({
        exeInode: strangeInode,
        instance: undefined,
        socket: address,
        behaviour: { ...healthyBehaviour(this.chance) },
      });
    }
  }

  startStranger(pid?: number, startTime?: string): void {
    const facts = {
      exeInode: strangeInode,
      instance: undefined,
      socket: undefined,
      behaviour: healthyBehaviour(this.chance),
    };
    if (pid === undefined) this.machine.start(facts);
    else if (!this.machine.processes.has(pid))
      this.machine.startAs(pid, startTime ?? String(this.machine.ticks), facts);
  }

  /** The next control starts all packages otherwise. */
  changeConfig(): void {
    this.#configVersion++;
  }

  /** Stops every package in order, as a stop of the daemon does. */
  async stop(): Promise<boolean> {
    this.#stopping = true;
    let stopped = false;
    void this.control?.fleet.stop().then(() => (stopped = true));
    await this.advance(stopsWithinMs);
    return stopped;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Nothing happens any more. */
  end(): void {
    this.control?.life.end();
    this.router?.life.end();
    this.#holder.end();
  }

  #behaviour(): Behaviour | undefined {
    if (!this.faulty) return healthyBehaviour(this.chance);
    if (this.machine.disk.full && this.chance.happens(0.5)) return undefined;
    return this.chance.happens(failedSpawns) ? undefined : faultyBehaviour(this.chance);
  }

  #changed(runner: PackageRunner, from: StateName, control: SimControl): void {
    this.trace.add(`${runner.manifest.name} ${from} > ${runner.state} ${runner.reason}`);
    if (runner.state !== from) this.count(`${from} > ${runner.state}`);
    this.#look(() => {
      this.invariants.moved(runner, from, control);
      if (this.#stopping) this.#checkStopOrder(runner, from);
    });
  }

  /** What it throws ends the run, also where the code that is simulated would catch it. */
  #look(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.failure ??= error;
    }
  }

  #checkInit({ facts }: SimProcess): void {
    const plan = this.graph.plans.find(({ manifest }) => manifest.name === facts.instance?.package);
    if (plan !== undefined && this.control !== undefined) this.invariants.initializing(plan, this.control);
  }

  /** Nobody is told to end before those that need it have ended. */
  #checkStopOrder(runner: PackageRunner, from: StateName): void {
    const { name } = runner.manifest;
    const ending: readonly StateName[] = ["draining", "stopping"];
    if (!ending.includes(runner.state) || ending.includes(from) || runner.machine.wanted === "up") return;
    for (const { manifest, requirements } of this.graph.plans) {
      if (manifest.name === name || !requirements.some(({ providers }) => providers.includes(name))) continue;
      const dependent = this.control?.fleet.runners.get(manifest.name);
      if (dependent?.process !== undefined) broken(`${name} is stopped before ${manifest.name}, which needs it`);
    }
  }

  #executed(callId: string, process: SimProcess): void {
    const call = this.calls.get(callId);
    if (call === undefined) return broken(`a call ${callId} that nobody made came to ${nameOf(process)}`);
    call.executions++;
    this.trace.add(`execute ${callId} ${nameOf(process)}`);
    if (call.executions > 1 && call.method === "Do")
      broken(`call ${callId} was handed over twice and is not idempotent`);
  }

  #answered(call: SimCall, outcome: string): void {
    this.trace.add(`answer ${call.id} ${outcome}`);
    this.count(`answer ${outcome.split(" ", 2).join(" ")}`);
    if (call.outcome !== undefined) broken(`call ${call.id} was answered twice: ${call.outcome}, ${outcome}`);
    call.outcome = outcome;
  }
}

function nameOf({ facts }: SimProcess): string {
  return facts.instance === undefined ? "stranger" : `${facts.instance.package}.${facts.instance.generation}`;
}
