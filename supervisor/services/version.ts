import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { implement, type Service } from "#rpc";
import type { HostFacts } from "./facts.ts";

/** containerd.services.version.v1: Bulkhead's own version and revision. */
export function versionService(facts: Pick<HostFacts, "version" | "revision">): Service {
  return implement(Version, { version: () => ({ version: facts.version, revision: facts.revision }) });
}
