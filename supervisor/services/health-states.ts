import type { StateName } from "../lifecycle/states.ts";
import { uriOf } from "../config/manifest.ts";
import type { Supervision } from "../status.ts";

/** Whether calls to something in that state are taken. */
export function isServing(state: StateName): boolean {
  return state === "ready" || state === "on-demand";
}

/**
 * Health of a name: "" (the host), a package, a plugin's `type.id`, or a service on the main socket.
 * Undefined: no such name.
 */
export function servingState(supervision: Supervision, name: string): boolean | undefined {
  if (name === "") return true;
  const found = supervision.package(name) ?? packageOfRoute(supervision, name);
  if (found !== undefined) return isServing(found.state);
  const plugin = supervision
    .packages()
    .flatMap((view) => view.plugins)
    .find((view) => uriOf(view.declaration) === name);
  return plugin && isServing(plugin.state);
}

function packageOfRoute(supervision: Supervision, service: string) {
  const name = supervision.routes().get(service);
  return name === undefined ? undefined : supervision.package(name);
}
