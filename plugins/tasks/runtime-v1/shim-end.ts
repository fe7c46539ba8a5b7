import { readdirSync, readFileSync } from "node:fs";
import { endWithin } from "../process-end.ts";

/**
 * Kills a v1 shim, which ends in no other way, and waits for its end. First those end that it has started: they tell of
 * exits, and a deletion is to be told of last. `timeoutMs` bounds that wait.
 */
export async function endShim(shimPid: number, timeoutMs: number): Promise<void> {
  await Promise.all(childrenOf(shimPid).map((pid) => endWithin(pid, timeoutMs)));
  await endWithin(shimPid, 0);
}

/** Its task is deleted, so containers are not among them. */
function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const lists = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8"));
    return lists.flatMap((list) =>
      list
        .split(" ")
        .filter((word) => word !== "")
        .map(Number),
    );
  } catch {
    return []; // it has ended, or the kernel does not say
  }
}
