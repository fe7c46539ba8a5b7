import type { CallContext } from "bulkhead/plugin";
import { HostError } from "#proto/wire/errors.ts";
import { metadataKeys } from "#proto/wire/metadata-keys.ts";
import type { ContentBackEnd } from "./back-end.ts";

/**
 * Sends a call of the router on to the content package, so that a blob's bytes go past this process: throws, with
 * trailers that the router takes for the order. Does nothing where the store is someone else's, or for a caller that
 * is not the router, who would not understand. Must come before the first answer.
 */
export function redirectToStore(backEnd: ContentBackEnd, context: CallContext): void {
  const target = backEnd.redirectTarget;
  if (target === undefined || context.metadata[metadataKeys.caller] === undefined) return;
  context.setTrailer(metadataKeys.redirect, target);
  context.setTrailer(`${metadataKeys.redirectSet}${metadataKeys.namespaced}`, "1");
  throw new HostError("unavailable", `${context.method} is served by the package ${target}; ask again there`);
}
