import { classedError, isHostError } from "bulkhead/plugin";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { zeroTimestamp } from "#proto/wire/timestamp.ts";
import { ConnectionClosed } from "../ttrpc/connection.ts";
import { deadlineIn, type RuntimeParts } from "./runtime-parts.ts";
import type { ShimTask } from "./shim-task.ts";

/**
 * How a process is, asked of its shim (containerd services/tasks/local.go, getProcessState). A shim that does not say
 * makes it unknown, one that is gone not-found.
 */
export async function processOf({ timeouts, log }: RuntimeParts, task: ShimTask, execId: string) {
  const id = execId === "" ? task.id : execId;
  try {
    const state = await task.shim.task.state({ id: task.id, execId }, deadlineIn(timeouts.stateMs));
    const { pid, status, stdin, stdout, stderr, terminal, exitStatus, exitedAt } = state;
    return { id, pid, status, stdin, stdout, stderr, terminal, exitStatus, ...(exitedAt && { exitedAt }) };
  } catch (error) {
    if (error instanceof ConnectionClosed) throw classedError("not-found", "task", { cause: error });
    if (isHostError(error, "not-found")) throw error;
    log.warn("state of a task not known", { id: task.id, namespace: task.namespace, error: String(error) });
    return { id, status: Status.UNKNOWN, exitedAt: zeroTimestamp() };
  }
}
