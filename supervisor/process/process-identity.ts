import { readFileSync, statSync } from "node:fs";
import { readProcStat } from "../holder/proc-stat.ts";

/** What tells one process from every other that ever had its pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of /proc/<pid>/stat. */
  readonly startTime: string;
  readonly bootId: string;
  /** Inode of the executable; 0: not readable, or not known yet. */
  readonly exeInode: number;
}

let bootId: string | undefined;

/** Of the running kernel. */
export function currentBootId(): string {
  bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return bootId;
}

/** Identity of a live process; undefined when there is none with that pid. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readProcStat(pid);
  if (stat === undefined || stat.startTime === "" || stat.state === "Z") return undefined;
  return { pid, startTime: stat.startTime, bootId: currentBootId(), exeInode: exeInode(pid) };
}

/** Whether the process of `identity` still runs; a reused pid or another boot says no. */
export function isSameProcess(identity: ProcessIdentity, identify = identifyProcess): boolean {
  const now = identify(identity.pid);
  return now !== undefined && now.startTime === identity.startTime && now.bootId === identity.bootId;
}

/** Inode of what a process executes; 0: not readable. It is the same when the file was replaced meanwhile. */
export function exeInode(pid: number): number {
  try {
    return statSync(`/proc/${pid}/exe`).ino;
  } catch {
    return 0;
  }
}
