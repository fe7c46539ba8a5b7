import { endGroups } from "../process/cgroup/left-groups.ts";
import { endLeftovers } from "../process/leftovers.ts";
import { InstanceRecords } from "../process/records.ts";
import type { HolderLog } from "./holder-log.ts";
import { describeCause } from "./start-failure.ts";

/** Ends the package processes that a control which is gone had recorded. Never throws: what it cannot do is logged. */
export async function endRecordedInstances(state: string, log: HolderLog): Promise<void> {
  try {
    await endLeftovers(new InstanceRecords(state), log, 0);
    await endGroups(state);
  } catch (error) {
    log.error("cannot end the packages that control left", { error: describeCause(error) });
  }
}
