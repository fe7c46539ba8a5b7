import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const koffi = require("koffi") as typeof import("koffi");
const clockGettime = koffi.load("libc.so.6").func("int clock_gettime(int clock, _Out_ int64_t *time)");

/** CPUCLOCK_SCHED of the kernel's include/linux/posix-timers.h: what a whole process has run, in nanoseconds. */
const scheduledClock = 2;

/**
 * What the process `pid` has run on processors so far, milliseconds: time that does not pass while others have the
 * machine. Throws when there is no such process.
 */
export function cpuMsOf(pid: number): number {
  const time: [bigint | number, bigint | number] = [0, 0];
  const failed = clockGettime((~pid << 3) | scheduledClock, time) as number;
  if (failed !== 0) throw new Error(`the processor clock of process ${pid} cannot be read`);
  return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
}
