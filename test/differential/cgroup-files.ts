import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { findHierarchies } from "../../supervisor/process/cgroup/hierarchies.ts";
import type { Step } from "./steps.ts";
import { fill } from "./steps.ts";

/** What bounds a group, by both versions' names. */
const limits = [
  "memory.limit_in_bytes",
  "memory.max",
  "cpu.shares",
  "cpu.weight",
  "cpu.cfs_quota_us",
  "cpu.cfs_period_us",
  "cpu.max",
  "pids.max",
];

/** Whether a group is there, with its limits, in every hierarchy; `group` as runc's path, with `{ns}`. */
export function cgroupOf(group: string): Step {
  return {
    title: `limits of the cgroup ${group}`,
    run: async (target) => {
      const found = findHierarchies().flatMap(({ mountPoint }) =>
        ["cgroup.procs", ...limits].map((name) => join(mountPoint, fill(group, target), name)),
      );
      const read = async (path: string) => {
        const text = await readFile(path, "utf8").catch(() => undefined);
        return text === undefined ? [] : [[path, path.endsWith("procs") ? text.trim() !== "" : text.trim()]];
      };
      return (await Promise.all(found.map(read))).flat();
    },
  };
}
