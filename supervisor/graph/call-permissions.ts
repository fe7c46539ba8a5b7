import type { Manifest } from "../config/manifest.ts";
import type { HostRoute } from "../router/route-table.ts";
import type { Member, Registry } from "./registry.ts";
import { isHostsOwn } from "./route-owners.ts";

/** Plugins of other packages that a package's `requires`, `wants` and `calls` name, in registration order. */
export function peersOf(manifest: Manifest, registry: Registry): readonly Member[] {
  const items = manifest.plugins.flatMap(({ requires, wants, calls }) => [...requires, ...wants, ...calls]);
  const named = new Set(items.flatMap((item) => registry.find(item)));
  return registry.members.filter((member) => member.package !== manifest.name && named.has(member));
}

/**
 * What a package may call through its host socket: service to the peer that serves it. Of several, the one that keeps
 * the service's route, else the first; `bulkhead-plugin` picks another by package or type.id.
 */
export function permittedCalls(
  peers: readonly Member[],
  routes: ReadonlyMap<string, string>,
): Readonly<Record<string, HostRoute>> {
  const serving = new Map<string, Member[]>();
  for (const member of peers)
    for (const service of member.plugin.serves.filter((each) => !isHostsOwn(each)))
      serving.set(service, [...(serving.get(service) ?? []), member]);
  return Object.fromEntries(
    [...serving].map(([service, members]) => [service, hostRoute(members, routes.get(service))]),
  );
}

function hostRoute(members: readonly Member[], keeper: string | undefined): HostRoute {
  const preferred = members.find((member) => member.package === keeper) ?? members[0];
  const choices = members.flatMap((member) => [
    [member.package, member.package],
    [member.uri, member.package],
  ]);
  return { package: preferred?.package ?? "", choices: Object.fromEntries(choices) as Record<string, string> };
}
