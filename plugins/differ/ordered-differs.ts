import { HostError, isHostError } from "bulkhead/plugin";
import type { Differ } from "./differ.ts";

/** Asks differs in order, the next one while they answer unimplemented; the last one's answer counts (services/diff/local.go). */
export function orderedDiffers(differs: readonly Differ[]): Differ {
  const firstThat = async <T>(ask: (differ: Differ) => Promise<T>): Promise<T> => {
    let last = new HostError("unimplemented", "no differ is configured");
    for (const differ of differs) {
      try {
        return await ask(differ);
      } catch (error) {
        if (!isHostError(error, "unimplemented")) throw error;
        last = error;
      }
    }
    throw last;
  };
  return {
    apply: (request, context) => firstThat((differ) => differ.apply(request, context)),
    diff: (request, context) => firstThat((differ) => differ.diff(request, context)),
  };
}
