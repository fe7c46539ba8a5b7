import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { execPath } from "node:process";
import type { Duplex } from "node:stream";
import { isLinuxError, onceReady, signalPidfd } from "#linux";
import { Heartbeat, type HeartbeatLimits } from "./heartbeat.ts";
import type { HolderLog } from "./holder-log.ts";
import { LineChannel } from "./line-channel.ts";
import { channelFd, type StartupFacts } from "./messages.ts";
import { restartDelayMs } from "./restart-delay.ts";

const stderr = 2;

/** One of the two processes the holder keeps up. */
export interface PartSpec {
  readonly name: "router" | "control";
  /** Words for node: flags, then the file to run. */
  readonly command: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly heartbeat: HeartbeatLimits;
}

/** What its owner does at each turn of a part's life; it never throws. */
export interface PartEvents<In> {
  /** Called before each start: its first argument, and its descriptors from 4 up, which stay the owner's. */
  starting(): { readonly facts: StartupFacts; readonly descriptors: readonly number[] };
  /** It runs; the first messages may be sent. */
  started(): void;
  /** Called once a process; `message` is its `ready` with all it holds. */
  ready(pid: number, message: In): void;
  message(message: In): void;
  ended(): void;
}

type PartMessage = { readonly type: "ready" } | { readonly type: "pong" } | { readonly type: string };
type Ping = { readonly type: "ping"; readonly id: number };

/** A process of ours, or one that an earlier holder started. */
interface PartProcess {
  readonly pid: number;
  /** SIGKILL. */
  kill(): void;
}

/** One that an earlier holder started; its descriptors are taken over. */
export interface AdoptedPart {
  readonly pid: number;
  readonly pidfd: number;
  readonly channel: Duplex;
}

type PartState<In, Out> =
  | { readonly kind: "down" }
  | { readonly kind: "waiting"; readonly timer: NodeJS.Timeout }
  | {
      readonly kind: "running";
      readonly process: PartProcess;
      readonly channel: LineChannel<In, Out>;
      readonly heartbeat: Heartbeat;
      readonly ready: boolean;
    };

/**
 * A process that is kept up for ever: started, asked whether it lives, killed when it stalls, started again at once
 * when it had been ready and with a growing delay when not. Owns: the process, its channel and all timers.
 */
export class Part<In extends PartMessage, Out> {
  readonly #spec: PartSpec;
  readonly #events: PartEvents<In>;
  readonly #log: HolderLog;
  readonly #idle = Promise.withResolvers<void>();
  #state: PartState<In, Out> = { kind: "down" };
  #failures = 0;
  #stopping = false;

  constructor(spec: PartSpec, events: PartEvents<In>, log: HolderLog) {
    this.#spec = spec;
    this.#events = events;
    this.#log = log;
  }

  /** Pid of the running process; undefined: none runs. */
  get pid(): number | undefined {
    return this.#state.kind === "running" ? this.#state.process.pid : undefined;
  }

  /** Whether the running process has said that it is ready. */
  get isReady(): boolean {
    return this.#state.kind === "running" && this.#state.ready;
  }

  /** Starts it, unless `stop` was called meanwhile. */
  start(): void {
    if (this.#stopping) return;
    const { name } = this.#spec;
    let child: ChildProcess;
    try {
      child = this.#spawn();
    } catch (error) {
      // Too many processes or open files: tried again, since nothing else can be done about it.
      this.#failures += 1;
      return this.#restart({ part: name, error: String(error) });
    }
    child.once("error", (error) => this.#log.error("cannot start part", { part: name, error: error.message }));
    child.once("close", (code, signal) => this.#end(code, signal));
    const process = { pid: child.pid ?? 0, kill: () => void child.kill("SIGKILL") };
    this.#run(process, child.stdio[channelFd] as Duplex);
    this.#log.debug("part started", { part: name, pid: child.pid });
    this.#events.started();
  }

  /** Goes on with a process that runs already; it says `ready` when it has told all it holds. */
  adopt({ pid, pidfd, channel }: AdoptedPart): void {
    onceReady(pidfd, "readable", () => {
      closeSync(pidfd);
      this.#end(null, null);
    });
    this.#run({ pid, kill: () => killExactly(pidfd) }, channel);
    this.#log.debug("part adopted", { part: this.#spec.name, pid });
  }

  #run(process: PartProcess, stream: Duplex): void {
    const channel = new LineChannel<In, Out | Ping>(stream, {
      onMessage: (message) => this.#receive(message),
      onClosed: () => {},
    });
    const heartbeat = new Heartbeat(this.#spec.heartbeat, {
      pid: process.pid,
      ping: (id) => channel.send({ type: "ping", id }),
      stalled: (reason) => this.#killStalled(reason),
    });
    this.#state = { kind: "running", process, channel, heartbeat, ready: false };
  }

  /** Sends a message to the running process; dropped when none runs. */
  send(message: Out): void {
    if (this.#state.kind === "running") this.#state.channel.send(message);
  }

  /** Kills the running process with SIGKILL; it is restarted unless `stop` was called. */
  kill(): void {
    if (this.#state.kind === "running") this.#state.process.kill();
  }

  /** Never starts it again, and resolves once none runs; asking it to end is the caller's, and so is `kill`. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#state.kind === "waiting") clearTimeout(this.#state.timer);
    if (this.#state.kind !== "running") this.#idle.resolve();
    await this.#idle.promise;
  }

  #spawn(): ChildProcess {
    const { facts, descriptors } = this.#events.starting();
    return spawn(execPath, [...this.#spec.command, JSON.stringify(facts)], {
      env: this.#spec.environment,
      // Its own session: Ctrl-C must reach the holder alone, which then stops everything in order.
      detached: true,
      stdio: ["ignore", stderr, stderr, "pipe", ...descriptors],
    });
  }

  #receive(message: In): void {
    if (this.#state.kind !== "running") return;
    this.#state.heartbeat.answered();
    if (message.type === "pong") return;
    if (message.type !== "ready") return this.#events.message(message);
    if (this.#state.ready) return;
    this.#state = { ...this.#state, ready: true };
    this.#failures = 0;
    this.#log.debug("part ready", { part: this.#spec.name, pid: this.pid });
    this.#events.ready(this.#state.process.pid, message);
  }

  #killStalled(reason: string): void {
    this.#log.error("part stalled, killing it", { part: this.#spec.name, pid: this.pid, reason });
    this.kill();
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#state.kind !== "running") return;
    const { process, heartbeat, channel, ready } = this.#state;
    heartbeat[Symbol.dispose]();
    channel.close();
    this.#state = { kind: "down" };
    if (!ready) this.#failures += 1;
    const outcome = { part: this.#spec.name, pid: process.pid, code: code ?? undefined, signal: signal ?? undefined };
    if (this.#stopping) {
      this.#log.debug("part ended", outcome);
      this.#events.ended();
      this.#idle.resolve();
      return;
    }
    this.#events.ended();
    this.#restart(outcome);
  }

  #restart(outcome: Readonly<Record<string, string | number | undefined>>): void {
    const delayMs = restartDelayMs(this.#failures);
    this.#log.warn("part ended, restarting it", { ...outcome, delayMs });
    if (delayMs === 0) return this.start();
    this.#state = { kind: "waiting", timer: setTimeout(() => this.start(), delayMs) };
  }
}

function killExactly(pidfd: number): void {
  try {
    signalPidfd(pidfd, "SIGKILL");
  } catch (error) {
    if (!isLinuxError(error, "ESRCH")) throw error; // it has just ended
  }
}
