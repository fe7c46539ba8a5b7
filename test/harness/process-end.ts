import { closeSync } from "node:fs";
import { isLinuxError, onceReady, openPid } from "#linux";
import { within } from "./deadline.ts";

/** Resolves when the process that has this pid now has ended, whoever started it. */
export async function processEnd(pid: number, ms?: number): Promise<void> {
  let pidfd: number;
  try {
    pidfd = openPid(pid);
  } catch (error) {
    if (isLinuxError(error, "ESRCH")) return;
    throw error;
  }
  let stop: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    stop = onceReady(pidfd, "readable", resolve);
  });
  try {
    await within(`the end of process ${pid}`, ended, ms);
  } finally {
    stop();
    closeSync(pidfd);
  }
}

/** Gives whether there was such a process. */
export function signalUnlessEnded(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
