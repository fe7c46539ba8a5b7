import { readdir, readFile } from "node:fs/promises";
import { cgroupsOf } from "../leftovers.ts";
import { processesOf } from "./processes.ts";

/** What a quiet daemon holds, in names that stay the same over restarts. */
export interface Holdings {
  readonly processes: readonly string[];
  readonly files: readonly string[];
  readonly mounts: readonly string[];
  readonly cgroups: readonly string[];
  /** Open descriptors by process. */
  readonly descriptors: ReadonlyMap<string, number>;
}

/** Descriptors that a process may hold more of than before: connections that come and go. */
const sparingDescriptors = 12;
/** Generations whose logs are kept. */
const keptLogs = 3;
/** Appears with the first process that only the holder could wait for; bounded by its size. */
const exitsFile = "exits";

export async function holdingsOf(folder: string, state: string): Promise<Holdings> {
  const processes = await processesOf(folder);
  const groups = await Promise.all(cgroupsOf(state).map((path) => foldersBelow(path)));
  const files = (await readdir(state, { recursive: true })).filter((file) => file !== exitsFile);
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").filter((line) => line.includes(folder));
  return {
    processes: processes.map(({ name, state: now }) => (now === "Z" ? `zombie of ${name}` : name)).toSorted(),
    files: withoutOlderLogs(files.map(withoutNumbers)).toSorted(),
    mounts: mounts.toSorted(),
    cgroups: groups.flat().map(withoutNumbers).toSorted(),
    descriptors: new Map(processes.map(({ name, descriptors }) => [name, descriptors])),
  };
}

/** What `after` holds that `before` did not, in words; and what is gone. */
export function leaksBetween(before: Holdings, after: Holdings): string[] {
  const leaks: string[] = [];
  for (const kind of ["processes", "files", "mounts", "cgroups"] as const) {
    leaks.push(...beyond(after[kind], before[kind]).map((each) => `${kind}: ${each} is new`));
    leaks.push(...beyond(before[kind], after[kind]).map((each) => `${kind}: ${each} is gone`));
  }
  for (const [name, count] of after.descriptors) {
    const known = before.descriptors.get(name);
    if (known !== undefined && count > known + sparingDescriptors) {
      leaks.push(`descriptors: ${name} has ${count}, had ${known}`);
    }
  }
  return leaks;
}

async function foldersBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** A package's logs of earlier generations are kept, up to a number. */
function withoutOlderLogs(files: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return files.filter((file) => {
    const times = (seen.get(file) ?? 0) + 1;
    seen.set(file, times);
    return !file.startsWith("log/") || times === 1 || times > keptLogs;
  });
}

function beyond(list: readonly string[], known: readonly string[]): string[] {
  const left = [...known];
  return list.filter((each) => {
    const at = left.indexOf(each);
    if (at < 0) return true;
    left.splice(at, 1);
    return false;
  });
}

/** Generations and pids differ from life to life. */
function withoutNumbers(name: string): string {
  return name.replaceAll(/(?<![a-z])\d+/g, "N");
}
