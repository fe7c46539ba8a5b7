import type { CallContext } from "bulkhead/plugin";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";

/** For a call to a peer on behalf of one that is served: namespace, lease, deadline and cancellation, nothing else. */
export function callOptionsOf({ metadata, signal, deadlineMs }: CallContext) {
  const passed = [metadataKeys.namespace, metadataKeys.lease].flatMap((key) => {
    const value = metadata[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return { metadata: Object.fromEntries(passed), signal, deadlineMs };
}
