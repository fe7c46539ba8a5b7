import { create } from "@bufbuild/protobuf";
import { PeerSchema, PeerState, type Peer } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { uriOf } from "../config/manifest.ts";
import { pluginState } from "./init-results.ts";
import type { PackageRunner } from "./package-runner.ts";
import type { PackagePlan } from "./plan.ts";
import type { StateName } from "./states.ts";

/** What a package is told of the plugins it may call. `addressOf` gives the target for one provider. */
export function peersOf(
  plan: PackagePlan,
  runners: ReadonlyMap<string, PackageRunner>,
  addressOf: (provider: PackageRunner) => string,
): Peer[] {
  return plan.peers.flatMap(({ package: name, plugin }) => {
    const runner = runners.get(name);
    if (runner === undefined) return [];
    const outcome = runner.outcome(uriOf(plugin));
    const state = outcome === undefined ? runner.state : pluginState(runner.state, outcome);
    return create(PeerSchema, {
      type: plugin.type,
      id: plugin.id,
      package: name,
      version: runner.manifest.version,
      address: addressOf(runner),
      serves: [...plugin.serves],
      capabilities: [...(outcome?.capabilities ?? plugin.capabilities)],
      exports: { ...(outcome?.exports ?? plugin.exports) },
      state: wireState(state),
      generation: BigInt(runner.generation),
    });
  });
}

function wireState(state: StateName): PeerState {
  switch (state) {
    case "ready":
    case "unhealthy":
      return PeerState.READY;
    case "on-demand":
      return PeerState.ON_DEMAND;
    case "skipped":
      return PeerState.SKIPPED;
    case "failed":
      return PeerState.FAILED;
    case "disabled":
      return PeerState.ABSENT;
    case "declared":
    case "waiting":
    case "starting":
    case "initializing":
    case "draining":
    case "stopping":
    case "stopped":
    case "backoff":
      return PeerState.DOWN;
  }
}
