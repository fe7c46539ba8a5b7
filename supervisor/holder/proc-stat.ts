import { readFileSync } from "node:fs";

/** A process as /proc/<pid>/stat shows it. */
export interface ProcStat {
  /** R running, S sleeping, D waiting for a disk, T stopped, t traced, Z ended but not reaped. */
  readonly state: string;
  readonly parent: number;
  /** Pid of the session's first process. */
  readonly session: number;
  /** Clock ticks after boot: with the pid it tells a process from all others of this boot. */
  readonly startTime: string;
}

/** Reads it; undefined: there is no such process. Zombies are shown. */
export function readProcStat(pid: number): ProcStat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything, so fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      state: fields[0] ?? "",
      parent: Number(fields[1]),
      session: Number(fields[3]),
      startTime: fields[19] ?? "",
    };
  } catch {
    return undefined;
  }
}
