import type { StateName } from "../../supervisor/lifecycle/states.ts";

/**
 * Which state may follow which, from the prose of `lifecycle/states.ts` and not from its table. Several steps may lie
 * between two looks at a package only where an effect answers at once (a start that fails as it begins).
 */
export const legalMoves: Readonly<Record<StateName, readonly StateName[]>> = {
  declared: ["waiting", "starting", "ready", "failed", "stopped"],
  waiting: ["starting", "stopped", "waiting"],
  starting: ["initializing", "ready", "stopping", "backoff", "failed", "skipped", "stopped", "starting", "waiting"],
  initializing: ["ready", "stopping", "backoff", "failed", "skipped", "stopped"],
  ready: ["unhealthy", "draining", "stopping", "starting", "waiting", "backoff", "failed", "skipped", "stopped"],
  unhealthy: ["ready", "draining", "stopping", "starting", "waiting", "backoff", "failed", "skipped", "stopped"],
  draining: ["stopping", "starting", "waiting", "stopped", "backoff", "failed", "skipped"],
  stopping: ["starting", "waiting", "stopped", "skipped", "failed", "backoff"],
  stopped: ["starting", "waiting"],
  backoff: ["starting", "waiting", "stopped"],
  skipped: ["starting", "waiting", "stopped"],
  failed: ["starting", "waiting", "stopped"],
  disabled: [],
  "on-demand": [],
};
