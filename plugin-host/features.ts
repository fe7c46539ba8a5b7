import type { OpenPlugin } from "./initialization.ts";

/** Version of this library, told to the host. */
export const sdkName = "bulkhead-node/0.1.0";

/** Names of what the package offers beyond the base of bulkhead.plugin.v1. */
export function sdkFeatures(open: readonly OpenPlugin[]): string[] {
  const features = ["describe", "drain", "metrics", "profile"];
  if (open.length > 0 && open.every(({ offer }) => offer.reconfigure !== undefined)) features.push("reconfigure");
  return features;
}
