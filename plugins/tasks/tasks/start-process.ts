import { classedError } from "bulkhead/plugin";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { startFirst } from "./first-start.ts";
import { stateOf, type StateCall } from "./process-state.ts";
import type { RuntimeParts } from "./runtime-parts.ts";
import type { ShimTask } from "./shim-task.ts";

/**
 * Whether an exec was asked to start before and did not. A start that was cut off may have gone well all the same: then
 * the shim has it as running or ended. Throws what the shim says.
 */
export async function hasFailedStart(task: ShimTask, execId: string, call: StateCall): Promise<boolean> {
  if (!task.failedStarts.has(execId)) return false;
  const { status } = await stateOf(task, execId, call);
  if (status !== Status.CREATED) task.failedStarts.delete(execId);
  return status === Status.CREATED;
}

/**
 * Starts a task's first process, or an exec; gives its pid. An exec is started once: see BegunStarts. Throws what the
 * shim says, failed-precondition for another start of an exec.
 */
export async function startProcess(
  parts: RuntimeParts,
  task: ShimTask,
  execId: string,
  call: StateCall,
): Promise<number> {
  if (execId === "") return startFirst(parts, task, call);
  const { starts } = parts;
  const { id, namespace, shim, failedStarts } = task;
  if (await hasFailedStart(task, execId, call)) {
    const text = `start exec ${execId}: a start of it failed or was cut off before; delete it and exec again`;
    throw classedError("failed-precondition", text);
  }
  const name = { namespace, id, execId };
  starts.begin(name);
  failedStarts.add(execId);
  const { pid } = await shim.task.start({ id, execId }, call);
  failedStarts.delete(execId);
  starts.end(name);
  return pid;
}
