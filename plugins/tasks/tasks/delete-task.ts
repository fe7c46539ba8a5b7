import { HostError, isHostError } from "bulkhead/plugin";
import { exitOf, type ProcessExit } from "../process-exit.ts";
import type { TaskShim } from "../shim/task-shim.ts";
import { ConnectionClosed } from "../ttrpc/connection.ts";
import { deadlineIn, type RuntimeParts } from "./runtime-parts.ts";
import type { ShimTask } from "./shim-task.ts";

interface CallLimits {
  readonly signal: AbortSignal;
  readonly deadlineMs?: number | undefined;
}

/**
 * Deletes a stopped task, its shim and its bundle (containerd runtime/v2/shim.go). How it ended is on disk before
 * anything goes, for those who still ask. Throws what the shim says; with not-found, or when the shim is gone, what is
 * left of the task goes all the same.
 */
export async function deleteTask(parts: RuntimeParts, task: ShimTask, call: CallLimits): Promise<ProcessExit> {
  const { id, namespace, shim } = task;
  let exit: ProcessExit | undefined;
  let failure: unknown;
  try {
    exit = exitOf(await shim.task.delete({ id }, call));
    parts.tombstones.add({ namespace, id, execId: "", ...exit });
    parts.tasks.remove(task); // its shim has told of the end, and nobody else may
  } catch (error) {
    failure = failedDelete(shim, error);
    if (!(error instanceof ConnectionClosed) && !isHostError(error, "not-found")) throw failure;
  }
  await shutDown(parts, task);
  shim[Symbol.dispose]();
  await task.ended;
  parts.tasks.remove(task);
  if (exit === undefined) throw failure;
  return exit;
}

function failedDelete({ deletePrefix }: TaskShim, error: unknown): unknown {
  if (!isHostError(error)) return error;
  const text = error instanceof ConnectionClosed ? "ttrpc: closed" : error.message;
  return new HostError(error.kind, deletePrefix + text, { cause: error });
}

/** A shim that holds other containers stays. */
async function shutDown({ timeouts, log }: RuntimeParts, { id, shim }: ShimTask): Promise<void> {
  try {
    await shim.task.shutdown({ id, now: false }, deadlineIn(timeouts.shutdownMs));
  } catch (error) {
    if (!(error instanceof ConnectionClosed)) log.warn("shim not shut down", { id, error: String(error) });
  }
}
