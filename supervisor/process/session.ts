import { closeSync, readdirSync, readFileSync } from "node:fs";
import { isLinuxError, openPid, signalPidfd } from "#linux";
import { readProcStat } from "../holder/proc-stat.ts";

/** Ticks a second in which /proc counts (USER_HZ, the same on all of Linux's platforms). */
const ticksPerSecond = 100;

/** Now, in clock ticks after boot. */
export function nowInTicks(): number {
  return Math.round(Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * ticksPerSecond);
}

/**
 * Sends SIGKILL to what is left of a session whose first process has ended, and to nobody else: a stranger that was
 * given its pid meanwhile, and made a session of its own, has started after `endedAtTicks`.
 */
export function killSession(session: number, endedAtTicks: number): void {
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === session) continue;
    const stat = readProcStat(pid);
    if (stat?.session === session && Number(stat.startTime) <= endedAtTicks) killExactly(pid, stat.startTime);
  }
}

/** Kills the process that has that start time, if the pid is still its own. */
function killExactly(pid: number, startTime: string): void {
  let pidfd: number | undefined;
  try {
    pidfd = openPid(pid);
    if (readProcStat(pid)?.startTime === startTime) signalPidfd(pidfd, "SIGKILL");
  } catch (error) {
    if (!isLinuxError(error, "ESRCH", "EPERM")) throw error; // gone already, or not ours to end
  } finally {
    if (pidfd !== undefined) closeSync(pidfd);
  }
}
