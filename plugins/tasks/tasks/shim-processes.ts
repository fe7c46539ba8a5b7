import { closeSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isLinuxError, onceReady, openPid, signalPidfd } from "#linux";
import type { Bundle } from "../bundle/bundle.ts";

/** What a process that is killed may take to go, milliseconds; one that hangs in the kernel is left there. */
const dyingMs = 1000;

/**
 * Waits for a bundle's shim and the `start` of it to end, `timeoutMs` at most, and kills what is still there then: by what
 * they say of themselves nobody can find them any more. Never rejects.
 */
export async function endShimProcesses(bundle: Bundle, timeoutMs: number): Promise<void> {
  await Promise.all(processesOf(bundle).map((pid) => endOf(pid, timeoutMs)));
}

/** Who works in the bundle and is told its id, as shims are. */
function processesOf({ path, id }: Bundle): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => cwdOf(pid) === path && argumentsOf(pid).includes(`\0-id\0${id}\0`)).map(Number);
}

function cwdOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined; // gone, or a thread of the kernel
  }
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // gone
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
