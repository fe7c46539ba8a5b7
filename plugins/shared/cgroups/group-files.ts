import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Text of a group's file; undefined: there is none, or it cannot be read. */
export function readText(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch {
    return undefined;
  }
}

/** Number in a group's file; 0: there is none. "max" is `max`. */
export function readCount(folder: string, name: string, max = 0): number {
  return countOf(readText(folder, name)?.trim(), max);
}

/** Numbers by name of a file with one pair a line; undefined: no such file. */
export function readPairs(folder: string, name: string): ReadonlyMap<string, number> | undefined {
  const text = readText(folder, name);
  if (text === undefined) return undefined;
  return new Map(
    text
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .flatMap(([key, value]) => (key && value !== undefined ? [[key, countOf(value, 0)]] : [])),
  );
}

/** Names of a group's files; none: no such group. */
export function listFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

export function isGroup(folder: string): boolean {
  return existsSync(join(folder, "cgroup.procs"));
}

/** Negative numbers, which older kernels give for a moment, count as 0 (containerd/cgroups: utils.go, parseUint). */
export function countOf(text: string | undefined, max: number): number {
  if (text === "max") return max;
  const count = Number(text);
  return Number.isFinite(count) && count > 0 ? count : 0;
}
