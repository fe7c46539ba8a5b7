import { readdir, readFile } from "node:fs/promises";
import type { Exposition } from "./exposition.ts";

/** Clock ticks a second in /proc, fixed at 100 by the kernel's user interface. */
const ticksPerSecond = 100;
const pageBytes = 4096;

interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly virtualBytes: number;
  readonly startTimeSeconds: number;
}

/** Adds `process_*` of this process under the names Go's client library uses, as containerd shows them. */
export async function addOwnProcess(exposition: Exposition): Promise<void> {
  const figures = await readFigures("self");
  const add = (name: string, type: string, help: string, value: number) =>
    exposition.family(name, type, help)({}, value);
  if (figures !== undefined) {
    const { cpuSeconds, residentBytes, virtualBytes, startTimeSeconds } = figures;
    add("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", cpuSeconds);
    add("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", residentBytes);
    add("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", virtualBytes);
    add(
      "process_start_time_seconds",
      "gauge",
      "Start time of the process since unix epoch in seconds.",
      startTimeSeconds,
    );
  }
  const open = await readdir("/proc/self/fd").catch(() => undefined);
  if (open !== undefined) add("process_open_fds", "gauge", "Number of open file descriptors.", open.length);
  const limit = await openFilesLimit();
  if (limit !== undefined) add("process_max_fds", "gauge", "Maximum number of open file descriptors.", limit);
}

/** Adds memory and CPU of other processes by the package they run. A process that has gone is left out. */
export async function addPackageProcesses(
  exposition: Exposition,
  processes: readonly { readonly package: string; readonly pid: number }[],
): Promise<void> {
  const memory = exposition.family(
    "bulkhead_process_resident_memory_bytes",
    "gauge",
    "Resident memory of a package's process in bytes.",
  );
  const cpu = exposition.family(
    "bulkhead_process_cpu_seconds_total",
    "counter",
    "User and system CPU time of a package's process in seconds.",
  );
  for (const { package: name, pid } of processes) {
    const figures = await readFigures(String(pid));
    if (figures === undefined) continue;
    memory({ package: name }, figures.residentBytes);
    cpu({ package: name }, figures.cpuSeconds);
  }
}

/** proc(5): fields of /proc/<pid>/stat, counted after the command, which may hold spaces and brackets. */
async function readFigures(pid: string): Promise<ProcessFigures | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const [userTicks = 0, systemTicks = 0] = fields.slice(11, 13);
    const [startTicks = 0, virtualBytes = 0, residentPages = 0] = fields.slice(19, 22);
    return {
      cpuSeconds: (userTicks + systemTicks) / ticksPerSecond,
      residentBytes: residentPages * pageBytes,
      virtualBytes,
      startTimeSeconds: (await bootTimeSeconds()) + startTicks / ticksPerSecond,
    };
  } catch {
    return undefined; // gone meanwhile, or hidden from us
  }
}

async function bootTimeSeconds(): Promise<number> {
  return Number(/^btime (\d+)$/m.exec(await readFile("/proc/stat", "utf8"))?.[1] ?? 0);
}

async function openFilesLimit(): Promise<number | undefined> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === undefined || soft === "unlimited" ? undefined : Number(soft);
}
