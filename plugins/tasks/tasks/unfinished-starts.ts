import { closeSync, readdirSync, readlinkSync } from "node:fs";
import { isLinuxError, onceReady, openPid, signalPidfd } from "#linux";

/**
 * Waits for the programs that run in a bundle, `timeoutMs` at most, and kills those that are still there: they are the
 * `start` of a shim that never said where it listens. Never rejects.
 */
export async function endsOfStarts(bundlePath: string, timeoutMs: number): Promise<void> {
  await Promise.all(processesIn(bundlePath).map((pid) => endOf(pid, timeoutMs)));
}

function processesIn(folder: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => cwdOf(pid) === folder).map(Number);
}

function cwdOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined; // gone, or a thread of the kernel
  }
}

async function endOf(pid: number, timeoutMs: number): Promise<void> {
  let pidfd: number;
  try {
    pidfd = openPid(pid);
  } catch (error) {
    if (isLinuxError(error, "ESRCH")) return;
    throw error;
  }
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => kill(pidfd), timeoutMs);
    onceReady(pidfd, "readable", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  closeSync(pidfd);
}

function kill(pidfd: number): void {
  try {
    signalPidfd(pidfd, "SIGKILL");
  } catch (error) {
    if (!isLinuxError(error, "ESRCH")) throw error; // it has just ended
  }
}
