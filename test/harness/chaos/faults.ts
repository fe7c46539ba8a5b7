import { open, rm } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { processesOf, type HostProcess } from "./processes.ts";

/** What faults act on. */
export interface Victim {
  readonly folder: string;
  /** Folder that a small file system is mounted on. */
  readonly root: string;
  /** A number from 0 to `below` - 1, by the run's seed. */
  random(below: number): number;
  /** Starts a daemon in the place of one that was killed. */
  restart(): Promise<void>;
  /** How often a shim was killed. */
  shimKills: number;
}

export interface Fault {
  readonly kind: string;
  /** How often it comes, relative to the others. */
  readonly weight: number;
  /** Strikes the supervisor itself; long runs leave it alone after a while, to see its memory. */
  readonly parts: boolean;
  /** Strikes, and undoes what does not mend itself. */
  strike(victim: Victim): Promise<void>;
}

const stoppedMs = 1500;
const fullMs = 1500;
const pressureMs = 1500;
const pressureBytes = 256 * 1024 * 1024;

const one = (name: string) => async (victim: Victim) => {
  const found = (await processesOf(victim.folder)).find((each) => each.name === name);
  return found === undefined ? [] : [found];
};
const anyPackage = async (victim: Victim): Promise<readonly HostProcess[]> => {
  const found = (await processesOf(victim.folder)).filter((each) => each.isPackage && each.state !== "Z");
  return found.slice(victim.random(Math.max(1, found.length))).slice(0, 1);
};
const both = async (victim: Victim): Promise<readonly HostProcess[]> =>
  (await processesOf(victim.folder)).filter(({ name }) => name === "control" || name === "router");

type Choice = (victim: Victim) => Promise<readonly HostProcess[]>;

const kill = (choose: Choice) => async (victim: Victim) => {
  for (const { pid } of await choose(victim)) signal(pid, "SIGKILL");
};

/** Stops them for longer than a watchdog waits; who was replaced meanwhile is gone by then. */
const stop = (choose: Choice) => async (victim: Victim) => {
  const pids = (await choose(victim)).map(({ pid }) => pid);
  for (const pid of pids) signal(pid, "SIGSTOP");
  await pause(stoppedMs);
  for (const pid of pids) signal(pid, "SIGCONT");
};

/** Every kind of fault. */
export const faults: readonly Fault[] = [
  { kind: "a package is killed", weight: 8, parts: false, strike: kill(anyPackage) },
  { kind: "a package is stopped", weight: 3, parts: false, strike: stop(anyPackage) },
  { kind: "control is killed", weight: 3, parts: true, strike: kill(one("control")) },
  { kind: "control is stopped", weight: 1, parts: true, strike: stop(one("control")) },
  { kind: "the router is killed", weight: 2, parts: true, strike: kill(one("router")) },
  { kind: "the router is stopped", weight: 1, parts: true, strike: stop(one("router")) },
  { kind: "control and router are killed", weight: 2, parts: true, strike: kill(both) },
  {
    kind: "the holder is killed",
    weight: 1,
    parts: true,
    strike: async (victim) => {
      await kill(one("holder"))(victim);
      await victim.restart();
    },
  },
  { kind: "a shim is killed", weight: 1, parts: false, strike: killShim },
  { kind: "the disk is full", weight: 1, parts: false, strike: fillDisk },
  { kind: "memory is short", weight: 1, parts: false, strike: takeMemory },
];

async function killShim(victim: Victim): Promise<void> {
  const shim = (await processesOf(victim.folder)).find(({ name }) => name.startsWith("containerd-shim"));
  if (shim === undefined) return;
  signal(shim.pid, "SIGKILL");
  victim.shimKills++;
}

async function fillDisk({ root }: Victim): Promise<void> {
  const path = join(root, "fills-the-disk");
  const file = await open(path, "w");
  try {
    const block = Buffer.alloc(1 << 20, 1);
    for (;;) await file.write(block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    await file.close();
  }
  await pause(fullMs);
  await rm(path);
}

/** A process that touches much memory at once, then lets go of it. */
async function takeMemory(): Promise<void> {
  const script = `const taken = Buffer.alloc(${pressureBytes}, 1); setTimeout(() => taken.length, ${pressureMs})`;
  await once(spawn(process.execPath, ["-e", script], { stdio: "ignore" }), "exit");
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}
