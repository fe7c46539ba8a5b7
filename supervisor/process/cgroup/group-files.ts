import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../../config/manifest.ts";

/** What cgroups can bound of a package. */
export type Resource = "memory" | "cpu" | "pids";
export const resources: readonly Resource[] = ["memory", "cpu", "pids"];

type Limits = Pick<Manifest["limits"], "memoryBytes" | "cpu" | "pids">;

/** Length of the period in which CPU time is counted, microseconds: the kernel's default. */
const cpuPeriodUs = 100_000;
/** Least quota that the kernel takes, microseconds. */
const leastQuotaUs = 1000;

/** Whether the package bounds that resource. */
export function isLimited(resource: Resource, limits: Limits): boolean {
  return { memory: limits.memoryBytes, cpu: limits.cpu, pids: limits.pids }[resource] !== undefined;
}

interface Setting {
  readonly file: string;
  readonly value: string;
  /** Not every kernel has it (swap accounting, say): what it refuses is let be. */
  readonly optional?: true;
}

/** The files of one group that bound `resource`, in the order they are to be written; pure. */
export function limitSettings(version: 1 | 2, resource: Resource, limits: Limits): readonly Setting[] {
  const { memoryBytes, cpu, pids } = limits;
  if (resource === "memory" && memoryBytes !== undefined) return memorySettings(version, String(memoryBytes));
  if (resource === "pids" && pids !== undefined) return [{ file: "pids.max", value: String(pids) }];
  if (resource !== "cpu" || cpu === undefined) return [];
  const quotaUs = Math.max(leastQuotaUs, Math.round(cpu * cpuPeriodUs));
  if (version === 2) return [{ file: "cpu.max", value: `${quotaUs} ${cpuPeriodUs}` }];
  return [
    { file: "cpu.cfs_period_us", value: String(cpuPeriodUs) },
    { file: "cpu.cfs_quota_us", value: String(quotaUs) },
  ];
}

/** Memory is memory: what is over the limit must not go to swap instead. */
function memorySettings(version: 1 | 2, bytes: string): readonly Setting[] {
  return version === 2
    ? [
        { file: "memory.max", value: bytes },
        { file: "memory.swap.max", value: "0", optional: true },
      ]
    : [
        { file: "memory.limit_in_bytes", value: bytes },
        { file: "memory.memsw.limit_in_bytes", value: bytes, optional: true },
      ];
}

/** Writes them. Throws what the kernel says. */
export function writeSettings(folder: string, settings: readonly Setting[]): void {
  for (const { file, value, optional } of settings) {
    try {
      writeFileSync(join(folder, file), value);
    } catch (error) {
      if (optional !== true) throw error;
    }
  }
}

/** A number in a file of a group; undefined: there is no such file, or no number in it. */
export function readNumber(folder: string, file: string): number | undefined {
  const text = readGroupFile(folder, file)?.trim();
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

/** One value of a file with a `key value` a line. */
export function readKey(folder: string, file: string, key: string): number | undefined {
  const found = new RegExp(`^${key} (\\d+)$`, "m").exec(readGroupFile(folder, file) ?? "");
  return found === null ? undefined : Number(found[1]);
}

/** Processes in a group. */
export function readPids(folder: string): number[] {
  const text = readGroupFile(folder, "cgroup.procs") ?? "";
  return text.split("\n").flatMap((line) => (/^\d+$/.test(line) ? [Number(line)] : []));
}

/** Text of a file of a group; undefined: it cannot be read. */
export function readGroupFile(folder: string, file: string): string | undefined {
  try {
    return readFileSync(join(folder, file), "utf8");
  } catch {
    return undefined;
  }
}
