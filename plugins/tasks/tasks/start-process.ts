import { classedError } from "bulkhead/plugin";
import type { RuntimeParts } from "./runtime-parts.ts";
import type { ShimTask } from "./shim-task.ts";

/**
 * Starts a task's first process, or an exec; gives its pid. An exec is started once: see BegunStarts. Throws what the
 * shim says, failed-precondition for another start of an exec.
 */
export async function startProcess(
  { starts }: RuntimeParts,
  task: ShimTask,
  execId: string,
  call: { readonly signal: AbortSignal; readonly deadlineMs: number | undefined },
): Promise<number> {
  const { id, namespace, shim, failedStarts } = task;
  if (execId === "") return (await shim.task.start({ id, execId }, call)).pid;
  if (failedStarts.has(execId)) {
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
