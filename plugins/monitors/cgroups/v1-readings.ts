import type { GroupFolders } from "../../shared/cgroups/group-folders.ts";
import { isGroup, readCount, readPairs, readText } from "../../shared/cgroups/group-files.ts";
import { reading, type Reading } from "./reading.ts";
import { blkioReadings } from "./v1-blkio.ts";
import { hugetlbReadings } from "./v1-hugetlb.ts";
import { memoryReadings } from "./v1-memory.ts";

/** Nanoseconds of a tick of cpuacct.stat. */
const tickNs = 1e9 / 100;

/**
 * All that a container's v1 groups tell (containerd metrics/cgroups/v1). What a kernel does not have is 0 or left out,
 * as there; a container whose groups are all gone gives nothing. `deviceOf` names a block device, "" for unknown.
 */
export function v1Readings(folders: GroupFolders, deviceOf: (number: string) => string): Reading[] {
  if (![...folders.values()].some(isGroup)) return [];
  const among = (name: string, read: (folder: string) => Reading[]): Reading[] => {
    const folder = folders.get(name);
    return folder === undefined ? [] : read(folder);
  };
  return [
    ...among("pids", pidsReadings),
    ...cpuReadings(folders.get("cpu") ?? "", folders.get("cpuacct") ?? ""),
    ...among("memory", memoryReadings),
    ...among("hugetlb", hugetlbReadings),
    ...among("blkio", (folder) => blkioReadings(folder, deviceOf)),
  ];
}

function pidsReadings(folder: string): Reading[] {
  if (!isGroup(folder)) return [];
  return [
    reading("pids_limit", "The limit to the number of pids allowed", readCount(folder, "pids.max")),
    reading("pids_current", "The current number of pids", readCount(folder, "pids.current")),
  ];
}

function cpuReadings(cpu: string, cpuacct: string): Reading[] {
  const ticks = readPairs(cpuacct, "cpuacct.stat");
  const throttling = readPairs(cpu, "cpu.stat");
  const perCpu = (readText(cpuacct, "cpuacct.usage_percpu") ?? "").split(/\s+/).filter((text) => text !== "");
  const ofTicks = (key: string): number => (ticks?.get(key) ?? 0) * tickNs;
  const total = readCount(cpuacct, "cpuacct.usage");
  const perCpuReading = reading("per_cpu_nanoseconds", "The total cpu time per cpu", 0);
  return [
    reading("cpu_total_nanoseconds", "The total cpu time", total),
    reading("cpu_kernel_nanoseconds", "The total kernel cpu time", ofTicks("system")),
    reading("cpu_user_nanoseconds", "The total user cpu time", ofTicks("user")),
    ...perCpu.map((text, index) => ({ ...perCpuReading, value: Number(text), labels: { cpu: String(index) } })),
    reading("cpu_throttle_periods_total", "The total cpu throttle periods", throttling?.get("nr_periods") ?? 0),
    reading("cpu_throttled_periods_total", "The total cpu throttled periods", throttling?.get("nr_throttled") ?? 0),
    reading("cpu_throttled_time_nanoseconds", "The total cpu throttled time", throttling?.get("throttled_time") ?? 0),
  ];
}
