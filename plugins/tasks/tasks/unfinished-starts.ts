import { readdirSync, readlinkSync } from "node:fs";
import { endWithin } from "../process-end.ts";

/**
 * Waits for the programs that run in a bundle, `timeoutMs` at most, and kills those that are still there: they are the
 * `start` of a shim that never said where it listens, or a v1 shim that does not answer. Never rejects.
 */
export async function endsOfStarts(bundlePath: string, timeoutMs: number): Promise<void> {
  await Promise.all(processesIn(bundlePath).map((pid) => endWithin(pid, timeoutMs)));
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
