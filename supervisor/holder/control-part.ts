import type { HeartbeatLimits } from "./heartbeat.ts";
import { describeBindFailure, type HostListener, type HostSocketRequest, type HostSockets } from "./host-sockets.ts";
import type { ControlToHolder, HolderToControl } from "./messages.ts";
import { Part } from "./part.ts";
import type { PartHost } from "./part-host.ts";

/** Control is on no call's path, so it may be slow for long. */
const heartbeat: HeartbeatLimits = { intervalMs: 5000, misses: 3, busyMisses: 12, startLimitMs: 60_000 };
/** What an ordered stop may take when control has not said, milliseconds. */
const defaultStopMs = 30_000;
/** The same once a second signal has come. */
const hastenedStopMs = 5000;
/** From its word that everything is stopped to its end. */
const lastBreathMs = 2000;

export interface ControlOptions {
  readonly host: PartHost;
  /** Words for node. */
  readonly command: readonly string[];
  readonly serializedConfig: unknown;
  readonly bootStartedAtMs: number;
  readonly ttrpcListener: number;
  readonly hostSockets: HostSockets;
  readonly events: ControlEvents;
}

export interface ControlEvents {
  /** Booted: each new control says so once. */
  ready(): void;
  newHostListener(listener: HostListener): void;
  /** Pid of a router that accepts. */
  routerPid(): number | undefined;
  /** It gave up by itself: the daemon is to end. */
  gaveUp(): void;
  /** One has ended and was reaped. */
  ended(): void;
}

/** The control process, kept up. Owns: the process. */
export class ControlPart {
  readonly #part: Part<ControlToHolder, HolderToControl>;
  readonly #options: ControlOptions;
  #starts = 0;
  #wasReady = false;
  #stopMs = defaultStopMs;
  #stopTimer: NodeJS.Timeout | undefined;
  /** What control said its exit code is; undefined: it has not stopped everything. */
  #exitCode: number | undefined;

  constructor(options: ControlOptions) {
    this.#options = options;
    const { host, command, events } = options;
    this.#part = new Part<ControlToHolder, HolderToControl>(
      { name: "control", command, environment: host.environment, heartbeat },
      {
        starting: () => this.#starting(),
        started: () => this.#started(),
        ready: (_pid, message) => this.#ready(message),
        message: (message) => this.#receive(message),
        ended: () => events.ended(),
      },
      host.log,
    );
  }

  get pid(): number | undefined {
    return this.#part.pid;
  }

  start(): void {
    this.#part.start();
  }

  send(message: HolderToControl): void {
    this.#part.send(message);
  }

  /**
   * Has it stop everything and end; killed when that takes longer than it said. Resolves with its exit code, or
   * undefined when it ended without having stopped everything.
   */
  async stop(reason: string): Promise<number | undefined> {
    if (this.#exitCode === undefined) this.#part.send({ type: "stop", reason });
    this.#limitStop(this.#exitCode === undefined ? this.#stopMs : lastBreathMs);
    await this.#part.stop();
    clearTimeout(this.#stopTimer);
    return this.#exitCode;
  }

  /** A stop is under way and patience is over. */
  hasten(reason: string): void {
    this.#part.send({ type: "stop", reason, hasten: true });
    this.#limitStop(hastenedStopMs);
  }

  /** A stop is under way and nothing is waited for any more. */
  kill(): void {
    this.#part.kill();
  }

  #limitStop(limitMs: number): void {
    clearTimeout(this.#stopTimer);
    this.#stopTimer = setTimeout(() => {
      this.#options.host.log.error("control did not stop in time, killing it", { pid: this.pid, limitMs });
      this.#part.kill();
    }, limitMs);
  }

  #starting() {
    const { host, ttrpcListener } = this.#options;
    const facts = { epoch: host.epochs.next(), state: host.state, holderPid: process.pid };
    return { facts, descriptors: [ttrpcListener] };
  }

  #started(): void {
    const { host, serializedConfig, events } = this.#options;
    host.records.write("control", this.#part.pid);
    const bootStartedAtMs = this.#starts === 0 ? this.#options.bootStartedAtMs : Date.now();
    this.#starts += 1;
    const { current: epoch } = host.epochs;
    const restarted = this.#wasReady;
    this.#part.send({ type: "start", epoch, config: serializedConfig, bootStartedAtMs, restarted });
    const routerPid = events.routerPid();
    if (routerPid !== undefined) this.#part.send({ type: "router", pid: routerPid });
  }

  #ready(message: ControlToHolder): void {
    this.#wasReady = true;
    if (message.type === "ready") this.#stopMs = message.stopTimeoutMs ?? defaultStopMs;
    this.#options.events.ready();
  }

  #receive(message: ControlToHolder): void {
    switch (message.type) {
      case "ready":
      case "pong":
        return; // the part has taken note
      case "bind-host-socket":
        return this.#bind(message);
      case "stopped": {
        const asked = this.#stopTimer !== undefined;
        this.#exitCode ??= message.exitCode;
        return asked ? this.#limitStop(lastBreathMs) : this.#options.events.gaveUp();
      }
    }
  }

  #bind(request: HostSocketRequest): void {
    const answer = { type: "host-socket", package: request.package, path: request.path } as const;
    try {
      const { listener, isNew } = this.#options.hostSockets.bind(request);
      if (isNew) this.#options.events.newHostListener(listener);
      this.#part.send(answer);
    } catch (error) {
      this.#part.send({ ...answer, error: describeBindFailure(error) });
    }
  }
}
