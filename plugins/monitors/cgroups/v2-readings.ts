import type { GroupFolders } from "../../shared/cgroups/group-folders.ts";
import { countOf, isGroup, readCount, readPairs, readText } from "../../shared/cgroups/group-files.ts";
import { family, reading, type Family, type Reading } from "./reading.ts";

/** What "max" counts as (containerd/cgroups v2: the largest of 64 bits). */
const unlimited = 2 ** 64;

/** Metric, key of cpu.stat, help. */
const cpuKeys = [
  ["cpu_usage_usec_microseconds", "usage_usec", "Total cpu usage (cgroup v2)"],
  ["cpu_user_usec_microseconds", "user_usec", "Current cpu usage in user space (cgroup v2)"],
  ["cpu_system_usec_microseconds", "system_usec", "Current cpu usage in kernel space (cgroup v2)"],
  ["cpu_nr_periods_total", "nr_periods", "Current cpu number of periods (only if controller is enabled)"],
  [
    "cpu_nr_throttled_total",
    "nr_throttled",
    "Total number of times tasks have been throttled (only if controller is enabled)",
  ],
  [
    "cpu_throttled_usec_microseconds",
    "throttled_usec",
    "Total time duration for which tasks have been throttled. (only if controller is enabled)",
  ],
] as const;

/** Lines of memory.stat that are told of. */
const memoryKeys = [
  "file_mapped",
  "file_dirty",
  "file_writeback",
  "pgactivate",
  "pgdeactivate",
  "pgfault",
  "pgmajfault",
  "pglazyfree",
  "pgrefill",
  "pglazyfreed",
  "pgscan",
  "pgsteal",
  "inactive_anon",
  "active_anon",
  "inactive_file",
  "active_file",
  "unevictable",
  "anon",
  "file",
  "kernel_stack",
  "slab",
  "sock",
  "shmem",
  "anon_thp",
  "slab_reclaimable",
  "slab_unreclaimable",
  "workingset_refault",
  "workingset_activate",
  "workingset_nodereclaim",
  "thp_fault_alloc",
  "thp_collapse_alloc",
];

const io: readonly (readonly [string, Family])[] = [
  ["rbytes", family("io_rbytes_bytes", "IO bytes read")],
  ["wbytes", family("io_wbytes_bytes", "IO bytes written")],
  ["rios", family("io_rios_total", "Number of read IOs")],
  ["wios", family("io_wios_total", "Number of write IOs")],
];

/**
 * All that a container's v2 group tells (containerd metrics/cgroups/v2); controllers that are off give zeros, as
 * there. A group that is gone gives nothing.
 */
export function v2Readings(folders: GroupFolders): Reading[] {
  const folder = folders.get("") ?? "";
  if (!isGroup(folder)) return [];
  const cpu = readPairs(folder, "cpu.stat");
  return [
    reading(
      "pids_limit",
      "The limit to the number of pids allowed (cgroup v2)",
      readCount(folder, "pids.max", unlimited),
    ),
    reading("pids_current", "The current number of pids (cgroup v2)", readCount(folder, "pids.current")),
    ...cpuKeys.map(([name, key, help]) => reading(name, help, cpu?.get(key) ?? 0)),
    ...memoryReadings(folder),
    ...ioReadings(readText(folder, "io.stat") ?? ""),
  ];
}

function memoryReadings(folder: string): Reading[] {
  const stat = readPairs(folder, "memory.stat");
  const events = readPairs(folder, "memory.events");
  const count = (file: string): number => readCount(folder, file, unlimited);
  const oomHelp = "The number of times a container has received an oom event";
  return [
    reading("memory_usage_bytes", "Current memory usage (cgroup v2)", count("memory.current")),
    reading("memory_usage_limit_bytes", "Current memory usage limit (cgroup v2)", count("memory.max")),
    reading("memory_swap_usage_bytes", "Current swap usage (cgroup v2)", count("memory.swap.current")),
    reading("memory_swap_limit_bytes", "Current swap usage limit (cgroup v2)", count("memory.swap.max")),
    ...memoryKeys.map((key) => reading(`memory_${key}_bytes`, `The ${key} amount`, stat?.get(key) ?? 0)),
    ...(events === undefined ? [] : [reading("memory_oom_total", oomHelp, events.get("oom") ?? 0)]),
  ];
}

/** Lines like `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`. */
function ioReadings(text: string): Reading[] {
  const devices = text.split("\n").flatMap((line) => {
    const [, major, minor, rest = ""] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    if (major === undefined || minor === undefined) return [];
    return [{ labels: { major, minor }, counts: new Map(rest.split(" ").map((pair) => pairOf(pair))) }];
  });
  return io.flatMap(([key, which]) =>
    devices.map(({ labels, counts }) => ({ family: which, value: countOf(counts.get(key), 0), labels })),
  );
}

function pairOf(text: string): readonly [string, string] {
  const [key = "", value = ""] = text.split("=");
  return [key, value];
}
