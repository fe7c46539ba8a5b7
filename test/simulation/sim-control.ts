import { create } from "@bufbuild/protobuf";
import { RegistrationSchema } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import type { Manifest } from "../../supervisor/config/manifest.ts";
import type { Graph } from "../../supervisor/graph/build-graph.ts";
import type { ExitRecord } from "../../supervisor/holder/exit-records.ts";
import type { LineChannelListener } from "../../supervisor/holder/line-channel.ts";
import { Obstructions } from "../../supervisor/lifecycle/adoption.ts";
import { Fleet } from "../../supervisor/lifecycle/fleet.ts";
import type { PackageRunner } from "../../supervisor/lifecycle/package-runner.ts";
import { RoutePublisher } from "../../supervisor/lifecycle/route-publisher.ts";
import type { StartRequest } from "../../supervisor/lifecycle/start-process.ts";
import type { StateName } from "../../supervisor/lifecycle/states.ts";
import { takeUp } from "../../supervisor/lifecycle/take-up.ts";
import { RouterLink } from "../../supervisor/links/router-link.ts";
import type { Log } from "../../supervisor/log.ts";
import type { Cgroups } from "../../supervisor/process/cgroup/cgroups.ts";
import { InstanceRecords } from "../../supervisor/process/records.ts";
import type { RouterToControl } from "../../supervisor/router/route-table.ts";
import type { SimRouter } from "./calls/sim-router.ts";
import type { Behaviour } from "./machine/behaviour.ts";
import type { Machine } from "./machine/machine.ts";
import { Deadline } from "../../supervisor/clock.ts";
import { simulatedSystem, type Plants } from "./machine/sim-system.ts";
import { Life } from "./machine/timeline.ts";

const bootWaitMs = 10_000;
const dialAgainMs = 40;
const longestWayMs = 2;

/** What a life of control is part of. */
export interface ControlOptions {
  readonly machine: Machine;
  readonly graph: Graph;
  readonly epoch: number;
  /** Part of what every package is started with: another one has all restarted. */
  readonly configVersion: number;
  readonly router: () => SimRouter | undefined;
  readonly behaviour: (request: StartRequest) => Behaviour | undefined;
  readonly starting: (request: StartRequest) => void;
  readonly changed: (runner: PackageRunner, from: StateName) => void;
  readonly failed: (error: unknown) => void;
  readonly plants: Plants;
}

/** One life of control's supervision: real fleet, adoption, links and records, on a simulated machine. */
export class SimControl {
  readonly life: Life;
  readonly fleet: Fleet;
  readonly startedMs: number;
  booted = false;
  readonly #options: ControlOptions;
  readonly #records: InstanceRecords;
  readonly #obstructions: Obstructions;
  readonly #host: ConstructorParameters<typeof Fleet>[0]["host"];
  readonly #routes: RoutePublisher;

  constructor(options: ControlOptions) {
    const { machine, graph, epoch } = options;
    const life = new Life(machine.timeline);
    this.life = life;
    this.startedMs = machine.timeline.nowMs;
    this.#options = options;
    this.#records = new InstanceRecords("/state", machine.disk);
    const system = simulatedSystem({ ...options, life });
    this.#obstructions = new Obstructions(system.processes);
    const link = new RouterLink(
      "/state/router.sock",
      () => {},
      (_path, listener, signal) => this.#dial(listener, signal),
      life,
    );
    this.#routes = new RoutePublisher(
      {
        epoch,
        bootWaitMs,
        limits: { maxRecvMessageBytes: 1 << 20, maxSendMessageBytes: 1 << 20 },
        routes: Object.fromEntries(graph.routes),
        choices: {},
        hostServices: {},
        control: { name: "control", socket: "/state/control.sock", serves: [], reads: [] },
      },
      link,
      life,
    );
    this.#host = {
      launch: {
        root: "/root",
        state: "/state",
        socketFolder: "/s",
        hostSocketFolder: "/h",
        env: {},
        maxRecvMessageBytes: 1024,
        maxSendMessageBytes: 1024,
        logLevel: "info",
        privileges: { cgroups: noCgroups, setpriv: undefined, isRoot: false, nofileLimit: undefined },
        childOomScoreAdj: undefined,
        pluginHostCommand: [],
      },
      records: this.#records,
      exits: { find: (pid, startTime) => this.#exitOf(pid, startTime) },
      obstruction: (manifest) => this.#obstructions.of(manifest),
      cutRouter: (name, generation, reason) => link.cut(name, generation, reason),
      log: silentLog(options.failed),
      hostVersion: "0.0.0",
      ttrpcListenerFd: undefined,
      system,
      random: () => machine.chance.next(),
      shownConfig: () => ({}),
      registrations: (manifest) => registrationsOf(manifest, options.configVersion),
      drainRouter: (name, generation, timeoutMs) => link.drain(name, generation, timeoutMs),
    };
    this.fleet = new Fleet({
      plans: graph.plans,
      lastGenerations: this.#lastGenerations(),
      host: this.#host,
      onChange: (runner, from) => {
        if (life.over) return options.failed(new Error("a dead control goes on"));
        runner.view();
        this.#routes.schedule();
        options.changed(runner, from);
      },
    });
  }

  /** Adopts what runs, starts the rest, opens the boot's order after its wait. */
  async run(): Promise<void> {
    const { records } = this.#records.readAll();
    const { fleet } = this;
    await takeUp({
      records,
      attach: () => this.#routes.attach(fleet),
      fleet,
      host: this.#host,
      obstructions: this.#obstructions,
    });
    this.#routes.controlServes();
    const wait = new Deadline(this.life, bootWaitMs);
    await fleet.settled(new Set(), wait.signal).catch(() => {});
    this.booted = true;
    fleet.releaseOrder();
    this.#routes.booted();
  }

  /** kill -9: its children live on, without it. */
  die(): void {
    this.life.end();
    for (const process of this.#options.machine.processes.values()) {
      if (process.facts.instance !== undefined) process.orphan = true;
    }
  }

  #lastGenerations(): ReadonlyMap<string, number> {
    const last = new Map<string, number>();
    for (const file of this.#options.machine.disk.names("/state/log")) {
      const [name = "", generation] = file.split(".");
      last.set(name, Math.max(Number(generation), last.get(name) ?? 0));
    }
    return last;
  }

  #exitOf(pid: number, startTime: string): ExitRecord | undefined {
    const status = this.#options.machine.exits.get(`${pid} ${startTime}`);
    if (status === undefined) return undefined;
    return typeof status === "number"
      ? { pid, startTime, code: status, signal: undefined }
      : { pid, startTime, code: undefined, signal: status };
  }

  /** Connects to the router, whenever there is one. */
  async #dial(listener: LineChannelListener<RouterToControl>, signal: AbortSignal) {
    const { life } = this;
    const { chance } = this.#options.machine;
    for (;;) {
      const router = this.#options.router();
      if (router !== undefined && !router.life.over)
        return channelTo(router, life, listener, () => chance.next() * longestWayMs);
      await life.pause(chance.next() * dialAgainMs);
      signal.throwIfAborted();
    }
  }
}

/** Lines to a router and back, in order. */
function channelTo(router: SimRouter, life: Life, listener: LineChannelListener<RouterToControl>, way: () => number) {
  const toRouter = inOrder(router.life, way);
  const toControl = inOrder(life, way);
  let open = true;
  router.life.onEnd(() =>
    toControl(() => {
      if (open) listener.onClosed("closed by the other side");
      open = false;
    }),
  );
  const answer = (message: RouterToControl): void => {
    toControl(() => {
      if (open) listener.onMessage(message);
    });
  };
  return {
    send: (message: Parameters<SimRouter["onControl"]>[0]): void => {
      if (open && !life.over) toRouter(() => router.onControl(message, answer));
    },
    close: (): void => {
      open = false;
    },
  };
}

function inOrder(life: Life, way: () => number): (run: () => void) => void {
  let lastMs = 0;
  return (run) => {
    lastMs = Math.max(lastMs, life.timeline.nowMs + way());
    life.setTimer(run, lastMs - life.timeline.nowMs);
  };
}

function registrationsOf(manifest: Manifest, configVersion: number) {
  const registrations = manifest.plugins.map(({ type, id }) => create(RegistrationSchema, { type, id }));
  return { registrations, peers: [], configJson: JSON.stringify({ configVersion }) };
}

const noCgroups = {
  create: () => undefined,
  find: () => undefined,
  release: () => {},
  unavailable: () => undefined,
} as unknown as Cgroups;

/** What must never be logged is a failure. */
function silentLog(failed: (error: unknown) => void): Log {
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (message, fields) => {
      if (message === "supervision of a plugin failed") failed(fields?.["error"]);
    },
    child: () => log,
    relay: () => {},
  };
  return log;
}
