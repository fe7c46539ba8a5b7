import { setTimeout as pause } from "node:timers/promises";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { clientOf, connect, type Channel, type Client } from "#rpc";
import { BusyboxContainers } from "../busybox-containers.ts";

/** What a step may take, with all that strikes meanwhile, milliseconds. */
const stepLimitMs = 60_000;
/** Between two tries of one step. */
const againMs = 50;
const killedStatus = 128 + 9;
/** Of a task whose shim has died, when nobody can tell more. */
const lostStatus = 255;
const sh = (script: string) => ["/bin/sh", "-c", script];
const execSpecType = "types.containerd.io/opencontainers/runtime-spec/1/Process";

type Scope = { readonly metadata: Readonly<Record<string, string>> };

/**
 * Runs containers one after another until disposed: made, started, an exec in every other one, ended, deleted. Each step
 * is asked again until it is done, and each exit must come with its code; only a start that was cut off, or a shim that
 * was killed, may have ended a process otherwise.
 */
export class ContainerLane implements AsyncDisposable {
  /** What was told wrong, or not at all, in words. */
  readonly problems: string[] = [];
  /** Exits that came as they had to. */
  exits = 0;
  readonly #channel: Channel;
  readonly #tasks: Client<typeof Tasks>;
  readonly #containers: BusyboxContainers;
  readonly #scope: Scope;
  readonly #shimKills: () => number;
  readonly #running: Promise<void>;
  #over = false;

  /** `shimKills`: how many shims were killed so far. */
  constructor(address: string, { namespace, rootfs }: Runtime, shimKills: () => number) {
    this.#channel = connect(address);
    this.#tasks = clientOf(Tasks, this.#channel);
    this.#containers = new BusyboxContainers(address, namespace, rootfs);
    this.#scope = { metadata: { "containerd-namespace": namespace } };
    this.#shimKills = shimKills;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#running;
    this.#channel[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#over; turn++) {
      try {
        await this.#runOne(`c${turn}`, 1 + (turn % 100), turn % 2 === 0);
      } catch (error) {
        this.problems.push(`container ${turn}: ${String(error)}`);
        return;
      }
    }
  }

  /** A container that ends by itself with `code`, or by SIGKILL after an exec of it ended so. */
  async #runOne(id: string, code: number, byExec: boolean): Promise<void> {
    const { kills, tasks, scope } = { kills: this.#shimKills(), tasks: this.#tasks, scope: this.#scope };
    const command = byExec ? ["/bin/sleep", "1000"] : sh(`exit ${code}`);
    await persist("make", () => this.#containers.create(this.#channel, id, command), /already exists/);
    await persist("create", () => tasks.create({ containerId: id }, scope), /already exists/);
    const wait = persist("wait", () => tasks.wait({ containerId: id }, scope), /task \S+ not found/);
    wait.catch(() => {}); // heard below
    const started = await persist("start", () => tasks.start({ containerId: id }, scope), /cannot start|not found/);
    const exec = byExec ? await this.#exec(id, code) : undefined;
    if (byExec) {
      const done = /already finished|not found|no such process/;
      await persist("kill", () => tasks.kill({ containerId: id, signal: 9 }, scope), done);
    }
    const status = (await wait)?.exitStatus;
    await persist("delete", () => tasks.delete({ containerId: id }, scope), /not found/);
    const containers = clientOf(Containers, this.#channel);
    await persist("forget", () => containers.delete({ id }, scope), /not found/);
    const isSure = started !== undefined && this.#shimKills() === kills && exec !== "cut off";
    this.#judge(`${id}, ${byExec ? "killed" : "ended by itself"}`, status, byExec ? killedStatus : code, isSure);
    if (typeof exec === "number") this.#judge(`exec of ${id}`, exec, code, isSure);
  }

  /** Gives its status; "cut off" where the start's answer was lost or the container is gone. */
  async #exec(containerId: string, code: number): Promise<number | "cut off" | undefined> {
    const { tasks, scope } = { tasks: this.#tasks, scope: this.#scope };
    const name = { containerId, execId: "e" };
    const value = Buffer.from(JSON.stringify({ args: sh(`exit ${code}`), cwd: "/", user: { uid: 0, gid: 0 } }));
    const gone = /not found|stopped state|not running|cannot start|cut off/;
    const spec = { typeUrl: execSpecType, value };
    await persist("exec", () => tasks.exec({ ...name, spec }, scope), new RegExp(`already exists|${gone.source}`));
    const started = await persist("start exec", () => tasks.start(name, scope), gone);
    if (started === undefined) return "cut off";
    return (await persist("wait for exec", () => tasks.wait(name, scope), gone))?.exitStatus;
  }

  #judge(what: string, status: number | undefined, expected: number, isSure: boolean): void {
    const others = isSure ? [] : [killedStatus, lostStatus, undefined];
    if (status === expected || others.includes(status)) this.exits++;
    else this.problems.push(`${what}: its exit is ${status ?? "unknown"}, must be ${expected}`);
  }
}

/** Where containers run. */
export interface Runtime {
  readonly namespace: string;
  readonly rootfs: string;
}

/** Asks until it is done; undefined when an error says that there is nothing to do (any more). */
async function persist<T>(step: string, ask: () => Promise<T>, done: RegExp): Promise<T | undefined> {
  const end = performance.now() + stepLimitMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (done.test(String(error))) return undefined;
      if (performance.now() > end) throw new Error(`${step}: ${String(error)}`, { cause: error });
    }
    await pause(againMs);
  }
}

/** What is left of a namespace's containers, in words. */
export async function containersLeft(address: string, { namespace }: Runtime): Promise<string[]> {
  using channel = connect(address);
  const scope = { metadata: { "containerd-namespace": namespace } };
  const { tasks } = await clientOf(Tasks, channel).list({}, scope);
  const { containers } = await clientOf(Containers, channel).list({}, scope);
  return [...tasks.map(({ id }) => `task ${id}`), ...containers.map(({ id }) => `container ${id}`)];
}
