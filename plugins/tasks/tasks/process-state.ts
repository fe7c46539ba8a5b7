import { HostError, isHostError } from "bulkhead/plugin";
import type { StateResponse } from "#proto/gen/containerd/task/v2/task_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { zeroTimestamp } from "#proto/wire/timestamp.ts";
import { ConnectionClosed } from "../ttrpc/connection.ts";
import { runsUnseen } from "./process-look.ts";
import { deadlineIn, type RuntimeParts } from "./runtime-parts.ts";
import type { ShimTask } from "./shim-task.ts";

/** What a shim says of a process. Throws what it says; one whose shim is gone is not found. */
export async function stateOf({ id, shim }: ShimTask, execId: string, call: StateCall): Promise<StateResponse> {
  try {
    return await shim.task.state({ id, execId }, call);
  } catch (error) {
    if (error instanceof ConnectionClosed) throw new HostError("not-found", "not found", { cause: error });
    throw error;
  }
}

/**
 * How a process is, for listings (containerd services/tasks/local.go, getProcessState). A shim that does not say makes it
 * unknown. Throws not-found.
 */
export async function processOf({ timeouts, log }: RuntimeParts, task: ShimTask, execId: string) {
  const id = execId === "" ? task.id : execId;
  try {
    const state = await stateOf(task, execId, deadlineIn(timeouts.stateMs));
    const { pid, stdin, stdout, stderr, terminal, exitStatus, exitedAt } = state;
    const status = execId === "" ? knownStatus(task, state.status) : state.status;
    return { id, pid, status, stdin, stdout, stderr, terminal, exitStatus, ...(exitedAt && { exitedAt }) };
  } catch (error) {
    if (isHostError(error, "not-found")) throw error;
    log.warn("state of a task not known", { id: task.id, namespace: task.namespace, error: String(error) });
    return { id, status: Status.UNKNOWN, exitedAt: zeroTimestamp() };
  }
}

/** A shim takes a first process for created whose start was cut off, even if it runs. */
function knownStatus(task: ShimTask, status: Status): Status {
  return status === Status.CREATED && runsUnseen(task) ? Status.RUNNING : status;
}

/** Until when a shim is to answer. */
export interface StateCall {
  readonly signal?: AbortSignal;
  readonly deadlineMs: number | undefined;
}
