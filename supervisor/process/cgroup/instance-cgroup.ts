import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readKey, readNumber, readPids, type Resource } from "./group-files.ts";

/** One folder of an instance's cgroup: a hierarchy, and what is bounded there. */
export interface GroupFolder {
  readonly version: 1 | 2;
  readonly path: string;
  readonly resources: readonly Resource[];
}

/** What a group has counted; undefined: nothing bounds it there, or this kernel does not say. */
export interface GroupUsage {
  readonly memoryBytes: number | undefined;
  readonly memoryPeakBytes: number | undefined;
  /** Times that memory reached its limit. */
  readonly memoryHits: number | undefined;
  /** Processes that the kernel killed for memory. */
  readonly oomKills: number | undefined;
  /** Periods in which the CPU quota was used up. */
  readonly cpuHits: number | undefined;
  /** Forks that failed at the limit. */
  readonly pidsHits: number | undefined;
}

/** Rounds of SIGKILL where there is no cgroup.kill: a child forked during one dies in the next. */
const killRounds = 16;
/** Pauses between tries to remove a group whose processes are on their way out, milliseconds. */
const removalPausesMs = [1, 5, 20, 50, 100, 200, 500, 1000, 2000];

/**
 * The cgroup of one instance, in one or more hierarchies. Owns: its folders; the processes in it only as far as
 * `kill` ends them.
 */
export class InstanceCgroup {
  readonly folders: readonly GroupFolder[];

  constructor(folders: readonly GroupFolder[]) {
    this.folders = folders;
  }

  /** Makes the folders that are not there. Throws what the kernel says. */
  make(): void {
    for (const { path } of this.folders) mkdirSync(path, { recursive: true });
  }

  /** Files that a process writes its pid into to enter. */
  get procsFiles(): readonly string[] {
    return this.folders.map(({ path }) => join(path, "cgroup.procs"));
  }

  /** Every process in it. */
  pids(): readonly number[] {
    return [...new Set(this.folders.flatMap(({ path }) => readPids(path)))];
  }

  /** Ends every process in it, at once: by cgroup.kill where the kernel has it, else one by one. */
  kill(): void {
    const killer = this.folders.find(({ version }) => version === 2);
    if (killer !== undefined && killAll(killer.path)) return;
    for (let round = 0; round < killRounds; round++) {
      const pids = this.pids();
      if (pids.length === 0) return;
      for (const pid of pids) killOne(pid);
    }
  }

  usage(): GroupUsage {
    const of = (resource: Resource): GroupFolder | undefined =>
      this.folders.find(({ resources }) => resources.includes(resource));
    const memory = of("memory");
    const cpu = of("cpu");
    const pids = of("pids");
    return {
      ...memoryUsage(memory),
      cpuHits: cpu && readKey(cpu.path, "cpu.stat", "nr_throttled"),
      pidsHits: pids && readKey(pids.path, "pids.events", "max"),
    };
  }

  /** Removes the folders once they are empty; those that somebody still lives in stay. Never rejects. */
  async remove(): Promise<void> {
    for (const pauseMs of removalPausesMs) {
      if (this.folders.every(({ path }) => removeGroup(path))) return;
      // The kernel tells nobody when a v1 group becomes empty.
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** Whether the group is gone; one that has processes is not. */
export function removeGroup(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

function killAll(folder: string): boolean {
  try {
    // Linux 5.14 and later; "r+" so that no file is made where there is none.
    writeFileSync(join(folder, "cgroup.kill"), "1", { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone already
  }
}

function memoryUsage(folder: GroupFolder | undefined): Omit<GroupUsage, "cpuHits" | "pidsHits"> {
  if (folder === undefined) {
    return { memoryBytes: undefined, memoryPeakBytes: undefined, memoryHits: undefined, oomKills: undefined };
  }
  const { path } = folder;
  return folder.version === 2
    ? {
        memoryBytes: readNumber(path, "memory.current"),
        memoryPeakBytes: readNumber(path, "memory.peak"),
        memoryHits: readKey(path, "memory.events", "max"),
        oomKills: readKey(path, "memory.events", "oom_kill"),
      }
    : {
        memoryBytes: readNumber(path, "memory.usage_in_bytes"),
        memoryPeakBytes: readNumber(path, "memory.max_usage_in_bytes"),
        memoryHits: readNumber(path, "memory.failcnt"),
        oomKills: readKey(path, "memory.oom_control", "oom_kill"),
      };
}
