import { readFileSync } from "node:fs";
import { processesBelow } from "./memory.ts";

/** Ticks a second of /proc/<pid>/stat: USER_HZ is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Processor seconds that a process and those below it have used, with those of children that have ended. */
export async function cpuSecondsBelow(pid: number): Promise<number> {
  return cpuSecondsOf(await processesBelow(pid));
}

/** The same of these processes. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.map(ticksOf).reduce((sum, each) => sum + each, 0) / ticksPerSecond;
}

function ticksOf(pid: number): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return 0; // ended just now; its parent's count has it
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // utime, stime, cutime, cstime
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}
