import type { ProcessExit } from "../process-exit.ts";
import { unknownExit } from "../process-exit.ts";
import { removeStaleSocket } from "../shim/stale-socket.ts";
import type { RuntimeParts } from "./runtime-parts.ts";
import type { ShimTask } from "./shim-task.ts";

/**
 * Cleans up once the connection to a task's shim has ended, whoever ended it (containerd runtime/v2/shim.go,
 * cleanupAfterDeadShim): the shim's own `delete` first. If the task was not deleted, its shim is lost, and what became of
 * the task is written down and told.
 */
export function watchShim(parts: RuntimeParts, task: ShimTask): void {
  void task.shim.closed.then(async () => {
    if (parts.signal.aborted) return; // we go; the shim stays
    const exit = await cleanUp(parts, task);
    removeFiles(parts, task);
    task.end(exit);
  });
}

/** Never rejects; gives how the task ended if its shim was lost. */
async function cleanUp(parts: RuntimeParts, task: ShimTask): Promise<ProcessExit | undefined> {
  const { log, tasks, lost, timeouts } = parts;
  const { id, namespace, shim } = task;
  const isLost = tasks.has(task);
  if (isLost) log.warn("cleaning up after shim disconnected", { id, namespace });
  let exit: ProcessExit | undefined;
  if (!task.isEmpty) {
    try {
      exit = await shim.program.delete(timeouts.cleanupMs);
    } catch (error) {
      log.warn("failed to clean up after shim disconnected", { id, namespace, error: String(error) });
    }
  }
  // Meanwhile somebody may have deleted it.
  if (!isLost || !tasks.has(task)) return undefined;
  const known = exit ?? unknownExit(task.pid);
  lost.add({ namespace, id, ...known });
  tasks.remove(task);
  return known;
}

function removeFiles({ log, starts }: RuntimeParts, { id, namespace, shim }: ShimTask): void {
  try {
    const address = shim.bundle.readText("address");
    starts.endAll({ id, namespace }); // first: without its bundle nobody would find them again
    shim.bundle.delete();
    removeStaleSocket(address);
  } catch (error) {
    log.error("bundle not removed", { id, namespace, error: String(error) });
  }
}
