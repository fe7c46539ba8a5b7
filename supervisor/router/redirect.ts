import type { Refusal } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import type { Target } from "./target.ts";

/** Whether a package may redirect a call: it is then given no more of the request than is kept for the replay. */
export function mayRedirect(targets: ReadonlyMap<string, Target>, from: Target, head: RequestHead): boolean {
  const { redirects, redirectMethods } = from.row;
  if (redirects.length === 0 || redirectMethods?.includes(head.path) === false) return false;
  return redirects.some((name) => targets.get(name)?.row.serves.includes(head.service) === true);
}

/** The package that takes over a call which `from` redirected to `name`; else why it may not. */
export function redirectTarget(
  targets: ReadonlyMap<string, Target>,
  from: Target,
  name: string,
  head: RequestHead,
): Target | Refusal {
  const to = targets.get(name);
  const declared = from.row.redirects.includes(name);
  if (to !== undefined && declared && to.row.serves.includes(head.service)) return to;
  return redirectRefusal(from.name, name, head);
}

/** Why a redirect is not followed. */
export function redirectRefusal(from: string, to: string, head: RequestHead): Refusal {
  return {
    kind: "internal",
    message: `package ${from} may not redirect ${head.path} to ${to}: that takes one hop, "redirects: [${to}]" in its plugin.yaml (and "redirects: true" at the method, where one has it), and a target that serves ${head.service}`,
  };
}
