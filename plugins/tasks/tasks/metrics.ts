import { HostError, isHostError, type CallContext } from "bulkhead/plugin";
import { compileFilters, filterField } from "#proto/wire/filters.ts";
import { namespaceOf } from "#proto/wire/identifiers.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { RuntimeParts } from "./runtime-parts.ts";
import type { ShimTask } from "./shim-task.ts";

/** Metrics of a namespace's tasks that pass the filters; those that cannot say are left out. Throws unknown. */
export async function metricsOf(
  { tasks, log }: RuntimeParts,
  filters: readonly string[],
  { metadata, signal, deadlineMs }: CallContext,
) {
  const passes = unclassed(() => compileFilters(filters));
  const namespace = unclassed(() => namespaceOf(metadata));
  const asked = tasks.in(namespace).filter((task) => passes(fieldsOf(task)));
  const metrics = await Promise.all(
    asked.map(async ({ id, shim }) => {
      const timestamp = timestampNow();
      try {
        const { stats } = await shim.task.stats({ id }, { signal, deadlineMs });
        return [{ timestamp, id, ...(stats && { data: stats }) }];
      } catch (error) {
        if (signal.aborted) throw error;
        if (!isHostError(error, "not-found"))
          log.debug("no metrics of a task", { id, namespace, error: String(error) });
        return [];
      }
    }),
  );
  return { metrics: metrics.flat() };
}

/** Bad input has no class here, as in containerd. */
function unclassed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new HostError("unknown", (error as Error).message, { cause: error });
  }
}

function fieldsOf({ id, namespace }: ShimTask) {
  const fields: Readonly<Record<string, string>> = { id, namespace };
  return ([name = ""]: readonly string[]) => filterField(Object.hasOwn(fields, name) ? fields[name] : undefined);
}
