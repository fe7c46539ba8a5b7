import { constants } from "node:os";
import { HostError } from "#proto/wire/errors.ts";
import { LinuxError } from "#linux";
import type { InstanceCalls } from "../../../supervisor/lifecycle/instance-client.ts";
import type { StartRequest } from "../../../supervisor/lifecycle/start-process.ts";
import type { Exit } from "../../../supervisor/lifecycle/states.ts";
import type { System } from "../../../supervisor/lifecycle/system.ts";
import type { InstanceProcess } from "../../../supervisor/process/instance-process.ts";
import type { ProcessIdentity } from "../../../supervisor/process/process-identity.ts";
import type { ProcessTable } from "../../../supervisor/process/process-table.ts";
import type { LeftGeneration } from "../../../supervisor/process/socket-files.ts";
import type { Behaviour } from "./behaviour.ts";
import type { Machine } from "./machine.ts";
import { SimCalls } from "./sim-calls.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Entry, Life } from "./timeline.ts";

/** Bugs that can be planted, to see that they are found. */
export interface Plants {
  /** Identity is the pid alone: a stranger passes for the instance that had it. */
  readonly trustsPids?: boolean;
  /** An instance counts as ended as soon as it was told to end. */
  readonly believesSignals?: boolean;
}

/** What control's life asks of the scenario. */
export interface SystemOptions {
  readonly machine: Machine;
  readonly life: Life;
  readonly plants: Plants;
  /** What the next process is going to do; undefined: it cannot be started. */
  readonly behaviour: (request: StartRequest) => Behaviour | undefined;
  /** Each start, before the process is there. */
  readonly starting: (request: StartRequest) => void;
}

/** How long news of a process takes at most, milliseconds. */
const newsMs = 3;

/** The machine as one life of control sees it. */
export function simulatedSystem(options: SystemOptions): System {
  const { machine, life } = options;
  const output = { lastLines: () => [], close: () => {} };
  return {
    clock: life,
    processes: processTable(options),
    sockets: {
      isBound: (socket) => machine.sockets.has(socket),
      untilBound: (socket, signal) => untilBound(machine, life, socket, signal),
      publish: () => {},
      remove({ socket, configFile }) {
        machine.sockets.delete(socket);
        machine.disk.remove(configFile);
      },
      left: (folder) => leftGenerations(machine, folder),
    },
    start: (request) => start(request, options),
    openOutput: () => output,
    connect: (socket): InstanceCalls => new SimCalls(machine, life, socket),
    isDebugged: () => false,
  };
}

function start(request: StartRequest, options: SystemOptions): InstanceProcess {
  const { machine, life, plants } = options;
  const { manifest, generation, paths } = request;
  const behaviour = options.behaviour(request);
  if (behaviour === undefined) throw new HostError("unavailable", `start ${manifest.name}: no such program`);
  options.starting(request);
  const { name, singleton, tier } = manifest;
  const process = machine.start({
    exeInode: 1000 + Number(name.slice(1)),
    instance: { package: name, generation, singleton, native: tier === "native" },
    socket: paths.socket,
    behaviour,
  });
  machine.disk.files.set(paths.logFile, "");
  machine.disk.files.set(paths.configFile, "");
  let believe = (): void => {};
  const exited = new Promise<Exit>((resolve) => {
    process.onEnd(() => {
      const { code, signal } = process.exit ?? {};
      life.setTimer(() => resolve({ code, signal, lastLine: "" }), machine.chance.next() * newsMs);
    });
    if (plants.believesSignals === true) believe = () => resolve({ code: undefined, signal: "SIGTERM", lastLine: "" });
  });
  const told = (signal: NodeJS.Signals): void => {
    if (life.over || !process.alive) return;
    machine.signal(process, signal);
    believe();
  };
  return {
    identity: process.identity,
    pid: process.pid,
    output: { lastLines: () => [] },
    ready: new Promise((resolve) => {
      process.onReady(() => life.setTimer(resolve, machine.chance.next() * newsMs));
    }),
    exited,
    terminate: () => told("SIGTERM"),
    kill: () => told("SIGKILL"),
  };
}

function processTable({ machine, life, plants }: SystemOptions): ProcessTable {
  const pidfds = new Map<number, SimProcess>();
  let lastPidfd = 10;
  const meant = (pidfd: number): SimProcess => {
    const process = pidfds.get(pidfd);
    if (process === undefined) throw new Error(`pidfd ${pidfd} is not open`);
    return process;
  };
  return {
    bootId: () => (plants.trustsPids === true ? "boot-1" : machine.bootId),
    identify(pid) {
      const process = machine.processes.get(pid);
      return plants.trustsPids === true ? recordedAs(machine, pid, process) : process?.identity;
    },
    sessionOf: (pid) => (machine.processes.has(pid) ? pid : undefined),
    parentOf: () => 0,
    startedFor: (socket) =>
      [...machine.processes.values()]
        .filter(({ facts }) => facts.instance && facts.socket === socket)
        .map(({ pid }) => pid),
    open(pid) {
      const process = machine.processes.get(pid);
      if (process === undefined) return undefined;
      pidfds.set(++lastPidfd, process);
      return lastPidfd;
    },
    close: (pidfd) => void pidfds.delete(pidfd),
    signal(pidfd, signal) {
      const process = meant(pidfd);
      if (!process.alive) return false;
      machine.signal(process, signal);
      return true;
    },
    onceEnded(pidfd, callback) {
      let timer: Entry | undefined;
      const stop = meant(pidfd).onEnd(() => {
        timer = life.setTimer(callback, machine.chance.next() * newsMs);
      });
      return () => {
        stop();
        life.clearTimer(timer);
      };
    },
    listenerOf(socket) {
      const process = machine.sockets.get(socket);
      if (process === undefined)
        throw new LinuxError({ errno: constants.errno.ECONNREFUSED, syscall: "connect", path: socket });
      return process.pid;
    },
    killSession: () => {},
    nowInTicks: () => machine.ticks,
  };
}

function leftGenerations({ disk }: Machine, folder: string): LeftGeneration[] {
  return [...disk.files.keys()].flatMap((path) => {
    const [, name, generation] = /^\/s\/(.+)\/(\d+)\.json$/.exec(path) ?? [];
    return path.startsWith(`${folder}/`) && name !== undefined
      ? [{ package: name, generation: Number(generation) }]
      : [];
  });
}

/** Whoever has a recorded pid passes for the one that was recorded. */
function recordedAs(machine: Machine, pid: number, process: SimProcess | undefined): ProcessIdentity | undefined {
  if (process === undefined) return undefined;
  for (const name of machine.disk.names("/state/records")) {
    const text = machine.disk.read(`/state/records/${name}`);
    if (!text.endsWith("}\n")) continue;
    const record = JSON.parse(text) as ProcessIdentity;
    if (record.pid === pid) return { ...record, bootId: "boot-1" };
  }
  return process.identity;
}

function untilBound(machine: Machine, life: Life, socket: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (!machine.sockets.has(socket)) return;
      finish();
      life.setTimer(resolve, machine.chance.next() * newsMs);
    };
    const abort = (): void => {
      finish();
      reject(signal.reason as Error);
    };
    const stop = machine.onBind(look);
    const finish = (): void => {
      stop();
      signal.removeEventListener("abort", abort);
    };
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    look();
  });
}
