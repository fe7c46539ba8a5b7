import { uriOf, type Manifest } from "../config/manifest.ts";
import type { PackageRow, RouteState } from "../router/route-table.ts";
import type { PackageRunner } from "./package-runner.ts";
import type { PackagePlan } from "./plan.ts";
import type { Machine } from "./states.ts";

/** Starts in a row that never got ready after which calls fail at once. */
const hopelessStarts = 3;

/** The router's row for a package as it is now. */
export function routeRow(plan: PackagePlan, runner: PackageRunner): PackageRow {
  const { manifest } = runner;
  const state = routeState(runner.machine);
  return {
    generation: runner.generation,
    socket: state === "open" ? runner.socket : undefined,
    state,
    reason: runner.reason,
    lifecycle: runner.state,
    parking: manifest.parking,
    methods: Object.fromEntries(
      [...manifest.methods].map(([path, { idempotent, unbounded, timeoutMs }]) => [
        path,
        { idempotent, unbounded, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
      ]),
    ),
    calls: plan.calls,
    redirects: manifest.redirects,
    redirectMethods: redirectMethods(manifest),
    serves: [
      ...new Set(
        manifest.plugins
          .filter((plugin) => runner.outcome(uriOf(plugin))?.outcome !== "skipped")
          .flatMap((plugin) => plugin.serves),
      ),
    ],
  };
}

/** Undefined: each of its methods may be redirected. */
function redirectMethods({ methods }: Manifest): readonly string[] | undefined {
  const named = [...methods].filter(([, { redirects }]) => redirects).map(([path]) => path);
  return named.length === 0 ? undefined : named;
}

/** Whether calls pass, wait or fail. */
export function routeState({ state, wanted, failedStarts, probing }: Machine): RouteState {
  switch (state) {
    case "ready":
    case "unhealthy":
      return "open";
    case "declared":
    case "waiting":
    case "starting":
    case "initializing":
    case "backoff":
    case "draining":
    case "stopping":
    case "on-demand":
      return wanted === "up" && failedStarts < hopelessStarts && !probing ? "parked" : "closed";
    case "stopped":
    case "skipped":
    case "failed":
    case "disabled":
      return "closed";
  }
}
