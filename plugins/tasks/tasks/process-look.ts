import { readFileSync, statSync } from "node:fs";
import type { ShimTask } from "./shim-task.ts";

/** What the kernel says of a process that waits nowhere, or whose place it does not tell. */
const nowhere = "0";

/** What a process is: its program, and where in the kernel it waits. Undefined: it is gone, or not ours to look at. */
export function lookAt(pid: number): string | undefined {
  try {
    const { dev, ino } = statSync(`/proc/${pid}/exe`);
    return `${dev}:${ino} ${readFileSync(`/proc/${pid}/wchan`, "utf8")}`;
  } catch {
    return undefined;
  }
}

/**
 * Whether the first process runs its program though its start was cut off. Only to be asked while the shim has it as
 * created: then it is not reaped, and the pid is its own.
 */
export function runsUnseen({ pid, lookBeforeStart }: ShimTask): boolean {
  const look = lookAt(pid);
  return look !== undefined && lookBeforeStart !== undefined && programIn(look) !== programIn(lookBeforeStart);
}

/** Whether it waits for its start as before the one that was cut off. */
export function waitsAsBefore({ pid, lookBeforeStart }: ShimTask): boolean {
  const look = lookAt(pid);
  return look === lookBeforeStart && look?.endsWith(` ${nowhere}`) !== true;
}

function programIn(look: string): string | undefined {
  return look.split(" ")[0];
}
