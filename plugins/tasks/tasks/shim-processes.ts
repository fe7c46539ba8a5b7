import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Bundle } from "../bundle/bundle.ts";
import { endWithin } from "../process-end.ts";

/**
 * Waits for a bundle's shim and the `start` of it to end, `timeoutMs` at most, and kills what is still there then: by what
 * they say of themselves nobody can find them any more. Never rejects.
 */
export async function endShimProcesses(bundle: Bundle, timeoutMs: number): Promise<void> {
  await Promise.all(processesOf(bundle).map((pid) => endWithin(pid, timeoutMs)));
}

/** Who works in the bundle and is told its namespace, as shims of all versions are. */
function processesOf({ path, namespace }: Bundle): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const told = `\0-namespace\0${namespace}\0`;
  return pids.filter((pid) => cwdOf(pid) === path && argumentsOf(pid).includes(told)).map(Number);
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
