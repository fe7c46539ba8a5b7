import { readdir, readFile } from "node:fs/promises";
import { memoryOf } from "../../../scripts/bench/memory.ts";
import { readProcStat } from "../../../supervisor/holder/proc-stat.ts";

/** A process of a daemon. */
export interface HostProcess {
  readonly pid: number;
  /** Name of its package, or of its part of the supervisor. */
  readonly name: string;
  /** A process that its host calls a package; shims are none. */
  readonly isPackage: boolean;
  /** As /proc/<pid>/stat has it; Z: ended and not reaped. */
  readonly state: string;
  readonly parent: number;
  readonly descriptors: number;
  /** Anonymous part of the proportional set size, MiB. */
  readonly anonymousMiB: number;
}

const parts: ReadonlySet<string> = new Set(["holder", "router", "control"]);

/** Whether a process is one of the supervisor's own. */
export function isPart({ name }: HostProcess): boolean {
  return parts.has(name);
}

/**
 * Processes that name `folder` in arguments or environment, and the zombies among their children; clients are left
 * out. Those that end meanwhile are, too.
 */
export async function processesOf(folder: string): Promise<readonly HostProcess[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const found = (await Promise.all(pids.map((pid) => describe(pid, folder)))).filter((each) => each !== undefined);
  const known = new Set(found.map(({ pid }) => pid));
  const zombies = pids.flatMap((pid): HostProcess[] => {
    const stat = readProcStat(pid);
    if (stat?.state !== "Z" || !known.has(stat.parent)) return [];
    return [
      { pid, name: "zombie", isPackage: false, state: "Z", parent: stat.parent, descriptors: 0, anonymousMiB: 0 },
    ];
  });
  return [...found, ...zombies];
}

async function describe(pid: number, folder: string): Promise<HostProcess | undefined> {
  if (pid === process.pid) return undefined;
  try {
    const [command, environment] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, "latin1"),
      readFile(`/proc/${pid}/environ`, "latin1"),
    ]);
    if (!`${command}\0${environment}`.includes(folder) || /(?:^|\/)ctr\0/.test(command)) return undefined;
    const stat = readProcStat(pid);
    const [{ name, anonymous }, descriptors] = await Promise.all([memoryOf(pid), readdir(`/proc/${pid}/fd`)]);
    if (stat === undefined || stat.state === "Z") return undefined;
    const { state, parent } = stat;
    const isPackage = environment.includes("BULKHEAD_PACKAGE=");
    return { pid, name, isPackage, state, parent, descriptors: descriptors.length, anonymousMiB: anonymous };
  } catch {
    return undefined;
  }
}
