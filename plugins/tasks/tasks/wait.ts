import { unknownExit, unknownExitStatus } from "../process-exit.ts";
import { ConnectionClosed } from "../ttrpc/connection.ts";
import { hasFailedStart } from "./start-process.ts";
import type { ShimTask } from "./shim-task.ts";

/**
 * How a process ends, once it has. When the shim is lost meanwhile, what its `delete` could find out; of an exec nobody
 * can. Throws what the shim says.
 */
export async function waitFor(
  task: ShimTask,
  execId: string,
  call: { readonly signal: AbortSignal; readonly deadlineMs: number | undefined },
) {
  try {
    // The shim takes one for ended whose start failed, and would say 0.
    if (task.cutOffStarts.has(execId) && (await hasFailedStart(task, execId, call))) return unknownExit();
    const { exitStatus, exitedAt } = await task.shim.task.wait({ id: task.id, execId }, call);
    return { exitStatus, ...(exitedAt && { exitedAt }) };
  } catch (error) {
    if (!(error instanceof ConnectionClosed)) throw error;
    const lost = await task.ended;
    if (lost === undefined) throw error;
    return { exitStatus: execId === "" ? lost.exitStatus : unknownExitStatus, exitedAt: lost.exitedAt };
  }
}
