import { setTimeout as delay } from "node:timers/promises";
import { HostError } from "bulkhead/plugin";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { lookAt, runsUnseen, waitsAsBefore } from "./process-look.ts";
import { stateOf, type StateCall } from "./process-state.ts";
import type { RuntimeParts } from "./runtime-parts.ts";
import type { ShimTask } from "./shim-task.ts";

/** How long a process whose start was cut off may take to show what became of it, milliseconds, and until the next look. */
const settleMs = 1000;
const lookAgainMs = 10;

/**
 * Starts a task's first process; gives its pid. When an earlier start was cut off, the process may run although the shim
 * has it as created, and runc, asked again, would wait for ever for one that has gone (its exec.fifo is still there), and
 * the shim for runc: then the answer that was lost is given instead, once. Throws what the shim says.
 */
export async function startFirst({ starts }: RuntimeParts, task: ShimTask, call: StateCall): Promise<number> {
  const { id, namespace, shim } = task;
  const name = { namespace, id, execId: "" };
  if (task.lookBeforeStart !== undefined && (await becameUnseen(task, call))) return tellOnce(task);
  const look = lookAt(task.pid);
  starts.begin(name, look);
  try {
    const { pid } = await shim.task.start({ id, execId: "" }, call);
    task.lookBeforeStart = undefined;
    starts.end(name);
    return pid;
  } catch (error) {
    task.lookBeforeStart = look;
    throw error;
  }
}

/** Whether it runs all the same, once it shows what became of it: it waits again as before, runs its program, or has gone. */
async function becameUnseen(task: ShimTask, call: StateCall): Promise<boolean> {
  const limitMs = Date.now() + settleMs;
  // While the shim has it as created it is not reaped, so the pid is its own.
  while ((await stateOf(task, "", call)).status === Status.CREATED) {
    if (runsUnseen(task)) return true;
    if (waitsAsBefore(task) || Date.now() > limitMs) return false;
    await delay(lookAgainMs); // a process that becomes another tells nobody
  }
  return false;
}

function tellOnce(task: ShimTask): number {
  // As its shim would say.
  if (task.isToldRunning) throw new HostError("unknown", "cannot start a running process: unknown");
  task.isToldRunning = true;
  return task.pid;
}
