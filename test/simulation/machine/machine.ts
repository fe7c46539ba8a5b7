import type { ProcessIdentity } from "../../../supervisor/process/process-identity.ts";
import type { Chance } from "./chance.ts";
import { Disk } from "./disk.ts";
import { SimProcess, type ProcessFacts } from "./sim-process.ts";
import { Timeline } from "./timeline.ts";

/** Few, so that they come again soon. */
const firstPid = 100;
const pids = 40;
const ticksPerMs = 0.1;

/** What a machine tells of its processes. */
export interface MachineWatch {
  started(process: SimProcess): void;
  /** Its Init is called. */
  initializing(process: SimProcess): void;
  signalled(process: SimProcess, signal: NodeJS.Signals): void;
  ended(process: SimProcess): void;
}

/** A machine in memory: time, disk, processes by pid, sockets by path. */
export class Machine {
  readonly timeline = new Timeline();
  readonly disk = new Disk();
  readonly chance: Chance;
  /** Everyone who has a pid now. */
  readonly processes = new Map<number, SimProcess>();
  readonly #ever = new Map<string, SimProcess>();
  /** Who listens, by path. */
  readonly sockets = new Map<string, SimProcess>();
  /** As the holder wrote them down: `pid starttime` to code or signal. */
  readonly exits = new Map<string, number | NodeJS.Signals>();
  readonly #watch: MachineWatch;
  readonly #socketWaiters = new Set<() => void>();
  #boots = 1;
  #bootedMs = 0;

  constructor(chance: Chance, watch: MachineWatch) {
    this.chance = chance;
    this.#watch = watch;
  }

  get bootId(): string {
    return `boot-${this.#boots}`;
  }

  /** Clock ticks after boot. */
  get ticks(): number {
    return Math.floor((this.timeline.nowMs - this.#bootedMs) * ticksPerMs);
  }

  start(facts: ProcessFacts): SimProcess {
    // The kernel gives no pid twice in a tick.
    const used = (pid: number): boolean =>
      this.processes.has(pid) || this.#ever.has(keyOf({ pid, startTime: String(this.ticks), bootId: this.bootId }));
    const free = Array.from({ length: pids }, (_, at) => firstPid + at).filter((pid) => !used(pid));
    const pid = this.chance.pick(free);
    if (pid === undefined) throw new Error("the simulated machine has no pid left");
    return this.startAs(pid, String(this.ticks), facts);
  }

  /** Starts one with a pid that is free, and a start time of the caller's choice. */
  startAs(pid: number, startTime: string, facts: ProcessFacts): SimProcess {
    const process = new SimProcess(this, { pid, startTime, bootId: this.bootId, exeInode: facts.exeInode }, facts);
    this.processes.set(pid, process);
    this.#ever.set(keyOf(process.identity), process);
    this.#watch.started(process);
    return process;
  }

  /** Whoever was started with that identity, dead or alive. */
  everStarted(identity: ProcessIdentity): SimProcess | undefined {
    return this.#ever.get(keyOf(identity));
  }

  /** Processes of a package that live. */
  instancesOf(packageName: string): SimProcess[] {
    return [...this.processes.values()].filter(({ facts }) => facts.instance?.package === packageName);
  }

  signal(process: SimProcess, signal: NodeJS.Signals): void {
    this.#watch.signalled(process, signal);
    process.take(signal);
  }

  initialize(process: SimProcess, nonce: Uint8Array): void {
    this.#watch.initializing(process);
    process.inits++;
    process.nonce = nonce;
  }

  bind(path: string, process: SimProcess): void {
    this.sockets.set(path, process);
    for (const wake of this.#socketWaiters) wake();
  }

  /** Calls back after each bind, until the returned function is called. */
  onBind(wake: () => void): () => void {
    this.#socketWaiters.add(wake);
    return () => this.#socketWaiters.delete(wake);
  }

  /** Of a process that has just ended: its pid and its sockets are free. */
  forget(process: SimProcess): void {
    if (this.processes.get(process.pid) === process) this.processes.delete(process.pid);
    for (const [path, owner] of this.sockets) if (owner === process) this.sockets.delete(path);
    this.#watch.ended(process);
  }

  /** Everything ends, and its pids and ticks come again. */
  reboot(): void {
    for (const process of this.processes.values()) process.end({ code: undefined, signal: "SIGKILL" });
    this.exits.clear();
    this.#boots++;
    this.#bootedMs = this.timeline.nowMs;
  }
}

function keyOf({ pid, startTime, bootId }: Omit<ProcessIdentity, "exeInode">): string {
  return `${pid} ${startTime} ${bootId}`;
}
