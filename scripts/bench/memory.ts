import { readdir, readFile } from "node:fs/promises";

export interface Memory {
  readonly pid: number;
  readonly name: string;
  /** Proportional set size, and the anonymous part of it, in MiB. */
  readonly pss: number;
  readonly anonymous: number;
  /** Highest resident set so far, in MiB. */
  readonly peak: number;
}

/** Memory of each process that is `pid` or below it. */
export async function memoryBelow(pid: number): Promise<Memory[]> {
  return Promise.all((await processesBelow(pid)).map(memoryOf));
}

/** The process `pid` and all below it. */
export async function processesBelow(pid: number): Promise<number[]> {
  const parents = await readParents();
  const below = (candidate: number): boolean => {
    for (let at: number | undefined = candidate; at !== undefined && at > 1; at = parents.get(at))
      if (at === pid) return true;
    return false;
  };
  return [...parents.keys()].filter(below);
}

async function readParents(): Promise<ReadonlyMap<number, number>> {
  const parents = new Map<number, number>();
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "latin1").catch(() => "");
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    if (Number.isInteger(parent)) parents.set(Number(entry), parent);
  }
  return parents;
}

/** Memory of one process; rejects when it has ended. */
export async function memoryOf(pid: number): Promise<Memory> {
  const [rollup, status, command] = await Promise.all([
    readFile(`/proc/${pid}/smaps_rollup`, "latin1"),
    readFile(`/proc/${pid}/status`, "latin1"),
    readFile(`/proc/${pid}/cmdline`, "latin1"),
  ]);
  const field = (text: string, name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) / 1024;
  const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
  const packageName = /(?:^|\0)BULKHEAD_PACKAGE=([^\0]*)/.exec(environment)?.[1];
  return {
    pid,
    name: packageName ?? partOf(command),
    pss: field(rollup, "Pss"),
    anonymous: field(rollup, "Pss_Anon"),
    peak: field(status, "VmHWM"),
  };
}

function partOf(command: string): string {
  const words = command.split("\0");
  const part = /(?:supervisor\/|dist\/)(holder|router|control)/.exec(command)?.[1];
  return part ?? words[0]?.split("/").at(-1) ?? "?";
}
