import { closeSync } from "node:fs";
import { isLinuxError, onceReady, openPid, signalPidfd } from "#linux";

/** What a process that is killed may take to go, milliseconds; one that hangs in the kernel is left there. */
const dyingMs = 1000;

/** Waits for a process's end, `timeoutMs` at most, and kills it then. One that is not there has ended. */
export async function endWithin(pid: number, timeoutMs: number): Promise<void> {
  let pidfd: number;
  try {
    pidfd = openPid(pid);
  } catch (error) {
    if (isLinuxError(error, "ESRCH")) return;
    throw error;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  const timers = [setTimeout(() => kill(pidfd), timeoutMs), setTimeout(resolve, timeoutMs + dyingMs)];
  const stop = onceReady(pidfd, "readable", resolve);
  await promise;
  stop();
  timers.forEach(clearTimeout);
  closeSync(pidfd);
}

function kill(pidfd: number): void {
  try {
    signalPidfd(pidfd, "SIGKILL");
  } catch (error) {
    if (!isLinuxError(error, "ESRCH")) throw error; // it has just ended
  }
}
