import type { ProcessIdentity } from "../../../supervisor/process/process-identity.ts";
import type { Behaviour } from "./behaviour.ts";
import type { Machine } from "./machine.ts";
import type { Endpoint } from "./network.ts";
import { Life } from "./timeline.ts";

export interface ProcessFacts {
  readonly exeInode: number;
  /** Undefined: a stranger. */
  readonly instance:
    | { readonly package: string; readonly generation: number; readonly singleton: boolean; readonly native: boolean }
    | undefined;
  /** Where it is going to listen; undefined: nowhere. */
  readonly socket: string | undefined;
  readonly behaviour: Behaviour;
}

/** How it ended. */
export interface SimExit {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/** A simulated process: its state, and what befalls it. */
export class SimProcess {
  identity: ProcessIdentity;
  readonly facts: ProcessFacts;
  readonly behaviour: Behaviour;
  readonly life: Life;
  exit: SimExit | undefined;
  endedMs = 0;
  /** Answers nothing any more, since then. */
  hungSinceMs: number | undefined;
  /** SIGSTOP: it does not even take a SIGTERM. */
  stopped = false;
  serving = false;
  bound = false;
  nonce: Uint8Array = new Uint8Array();
  inits = 0;
  initialized = false;
  /** Was told to end. */
  doomed = false;
  /** Nobody waits for it but the holder. */
  orphan = false;
  readonly connections = new Set<Endpoint>();
  readonly #machine: Machine;
  readonly #endWatchers = new Set<() => void>();
  readonly #readyWatchers: (() => void)[] = [];

  constructor(machine: Machine, identity: ProcessIdentity, facts: ProcessFacts) {
    this.#machine = machine;
    this.identity = identity;
    this.facts = facts;
    this.behaviour = facts.behaviour;
    this.life = new Life(machine.timeline);
    this.#begin();
  }

  get pid(): number {
    return this.identity.pid;
  }

  get alive(): boolean {
    return this.exit === undefined;
  }

  /** Whether it reads and answers. */
  get answers(): boolean {
    return this.alive && this.hungSinceMs === undefined;
  }

  get isStranger(): boolean {
    return this.facts.instance === undefined;
  }

  /** Calls back when it ends; at once if it has. */
  onEnd(callback: () => void): () => void {
    if (!this.alive) callback();
    else this.#endWatchers.add(callback);
    return () => this.#endWatchers.delete(callback);
  }

  /** Calls back at its readiness line. */
  onReady(callback: () => void): void {
    if (this.bound) callback();
    else this.#readyWatchers.push(callback);
  }

  hang(): void {
    this.hungSinceMs ??= this.life.timeline.nowMs;
  }

  /** Goes on as another program. */
  exec(): void {
    this.identity = { ...this.identity, exeInode: this.identity.exeInode + 1 };
  }

  /** SIGSTOP. */
  stop(): void {
    this.stopped = true;
    this.hang();
  }

  take(signal: NodeJS.Signals): void {
    if (!this.alive) return;
    this.doomed = true;
    if (signal === "SIGKILL") {
      this.life.setTimer(() => this.end({ code: undefined, signal }), this.behaviour.killMs);
    } else if (!this.stopped && this.behaviour.terminateMs !== undefined) {
      this.life.setTimer(() => this.end({ code: undefined, signal }), this.behaviour.terminateMs);
    }
  }

  end(exit: SimExit): void {
    if (!this.alive) return;
    this.exit = exit;
    this.endedMs = this.life.timeline.nowMs;
    this.life.end();
    for (const connection of this.connections) connection.cut();
    const { pid, startTime } = this.identity;
    if (this.orphan) this.#machine.exits.set(`${pid} ${startTime}`, exit.code ?? exit.signal ?? 0);
    this.#machine.forget(this);
    for (const tell of this.#endWatchers) tell();
    this.#endWatchers.clear();
  }

  /** Faults are over: it does not end or hang by itself any more. */
  mend(): void {
    this.behaviour.exit = undefined;
    this.behaviour.hangMs = undefined;
  }

  #begin(): void {
    const { readyMs, exit, hangMs, notServingMs } = this.behaviour;
    if (exit !== undefined) {
      this.life.setTimer(() => {
        const { exit: now } = this.behaviour;
        if (now !== undefined && !this.stopped)
          this.end({ code: now.code, signal: now.code === undefined ? "SIGSEGV" : undefined });
      }, exit.afterMs);
    }
    if (hangMs !== undefined) {
      this.life.setTimer(() => {
        if (this.behaviour.hangMs !== undefined) this.hang();
      }, hangMs);
    }
    if (readyMs !== undefined) this.life.setTimer(() => this.#bind(notServingMs), readyMs);
  }

  #bind(notServingMs: number): void {
    if (this.hungSinceMs !== undefined) return;
    this.bound = true;
    const { socket } = this.facts;
    if (socket !== undefined) this.#machine.bind(socket, this);
    for (const tell of this.#readyWatchers) tell();
    this.life.setTimer(() => {
      this.serving = true;
    }, notServingMs);
  }
}
