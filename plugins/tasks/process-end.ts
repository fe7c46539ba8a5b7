import { closeSync } from "node:fs";
import { isLinuxError, onceReady, openPid, signalPidfd } from "#linux";

/** Waits for a process's end, `timeoutMs` at most, and kills it then. One that is not there has ended. */
export async function endWithin(pid: number, timeoutMs: number): Promise<void> {
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
