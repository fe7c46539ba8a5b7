import type { PluginDeclaration } from "../config/manifest.ts";
import { serviceOfRoute, uriOf } from "../config/manifest.ts";

/** A package that may route services on the main socket. */
export interface RouteCandidate {
  readonly name: string;
  /** Keeps a route against one that is not. */
  readonly shipped: boolean;
  readonly plugins: readonly PluginDeclaration[];
  /** Services beside those of its plugins. */
  readonly services?: readonly string[];
  /** Failed already: it keeps only routes that nobody else wants, so that callers learn why it is down. */
  readonly failed: boolean;
}

export interface RouteOwners {
  /** Full service name, or `/service/method`, to the package that keeps its route. */
  readonly routes: ReadonlyMap<string, string>;
  /** Service to packages that route it, by `bulkhead-plugin` value: package name and type.id. */
  readonly choices: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Packages that must fail for a route that another keeps, and the text that says so. */
  readonly conflicts: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

const hostsOwn = /^(grpc\.health|grpc\.reflection|bulkhead\.plugin|bulkhead\.host|bulkhead\.control|plugin)\./;

/** Whether the route is of a service that the host never routes to a package. */
export function isHostsOwn(route: string): boolean {
  return hostsOwn.test(serviceOfRoute(route));
}

/**
 * Who keeps each route: `chosen` by the config, else the built-in and shipped package, else the first by name. Who
 * routes what another keeps fails, unless the config chose (then clients may pick either). One method of another's
 * service is kept like that, too: shipped packages share services among them, others only where the config says so.
 */
export function assignRoutes(
  builtIn: RouteCandidate,
  candidates: readonly RouteCandidate[],
  chosen: ReadonlyMap<string, string>,
): RouteOwners {
  const warnings = [...unfitChoices(candidates, chosen), ...candidates.flatMap(neverRouted)];
  const valid = validChoices(candidates, chosen);
  const routes = new Map(servicesOf(builtIn).map((service) => [service, builtIn.name]));
  const conflicts = new Map<string, string>();
  const ranked = candidates.toSorted(byPrecedence);
  const running = ranked.filter(({ failed }) => !failed);
  for (const candidate of running) {
    const wanted = routable(candidate).filter((route) => (valid.get(route) ?? candidate.name) === candidate.name);
    const keeperOf = (route: string) =>
      routes.get(route) ??
      (valid.has(route) ? undefined : strangerWith(route, candidate, [builtIn, ...running], valid));
    const taken = wanted.find((route) => keeperOf(route) !== undefined);
    if (taken !== undefined)
      conflicts.set(candidate.name, conflictText(taken, keeperOf(taken) ?? "", candidate, builtIn));
    else for (const route of wanted) routes.set(route, candidate.name);
  }
  for (const [route, name] of valid) if (!routes.has(route)) routes.set(route, name);
  // Callers of what nobody else has must learn why it is down.
  for (const candidate of ranked)
    for (const route of routable(candidate))
      if (!routes.has(route) && !routes.has(serviceOfRoute(route))) routes.set(route, candidate.name);
  const able = candidates.filter(({ name, failed }) => !failed && !conflicts.has(name));
  return { routes, choices: listChoices([builtIn, ...able], routes), conflicts, warnings };
}

/** Who of `ranked` (the built-in first) routes the service that `route` is a method of, and does not share it. */
function strangerWith(
  route: string,
  candidate: RouteCandidate,
  ranked: readonly RouteCandidate[],
  valid: ReadonlyMap<string, string>,
): string | undefined {
  const service = serviceOfRoute(route);
  if (service === route) return undefined;
  const routing = ranked.filter((each) => servicesOf(each).includes(service));
  const keeper = routing.find(({ name }) => name === valid.get(service)) ?? routing[0];
  if (keeper === undefined || keeper.name === candidate.name) return undefined;
  return keeper.shipped && candidate.shipped && keeper !== ranked[0] ? undefined : keeper.name;
}

function byPrecedence(a: RouteCandidate, b: RouteCandidate): number {
  if (a.shipped !== b.shipped) return a.shipped ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

function servicesOf({ plugins, services = [] }: RouteCandidate): string[] {
  return [...new Set([...plugins.flatMap(({ routes }) => routes), ...services])];
}

function routable(candidate: RouteCandidate): string[] {
  return servicesOf(candidate).filter((service) => !isHostsOwn(service));
}

function neverRouted(candidate: RouteCandidate): string[] {
  return servicesOf(candidate)
    .filter(isHostsOwn)
    .map(
      (service) =>
        `package ${candidate.name}: ${service} is the host's own and is not routed to it; remove it from routes`,
    );
}

function conflictText(service: string, keeper: string, loser: RouteCandidate, builtIn: RouteCandidate): string {
  const both = `${service} is routed by ${keeper} and ${loser.name}; ${keeper} keeps it`;
  if (keeper === builtIn.name)
    return `${both}, since it is the host's own: remove it from routes in ${loser.name}'s plugin.yaml`;
  return `${both}. To choose, write "routes: {${service}: ${loser.name}}" (or ${keeper}) into the config`;
}

/** Whether a package routes it, one method of a service perhaps with all of the service. */
function routesIt(candidates: readonly RouteCandidate[], route: string, name: string): boolean {
  return candidates.some((each) => each.name === name && isAmong(routable(each), route));
}

function isAmong(routes: readonly string[], route: string): boolean {
  return routes.includes(route) || routes.includes(serviceOfRoute(route));
}

function validChoices(
  candidates: readonly RouteCandidate[],
  chosen: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  return new Map([...chosen].filter(([service, name]) => routesIt(candidates, service, name)));
}

function unfitChoices(candidates: readonly RouteCandidate[], chosen: ReadonlyMap<string, string>): string[] {
  return [...chosen]
    .filter(([service, name]) => !routesIt(candidates, service, name))
    .map(([service, name]) => {
      const able = candidates.filter((candidate) => isAmong(routable(candidate), service)).map((each) => each.name);
      const advice = able.length === 0 ? "no package does" : `these do: ${able.join(", ")}`;
      return `routes: {${service}: ${name}} has no effect: package ${name} does not route that service, ${advice}`;
    });
}

function listChoices(
  able: readonly RouteCandidate[],
  routes: ReadonlyMap<string, string>,
): Map<string, ReadonlyMap<string, string>> {
  const choices = new Map<string, Map<string, string>>();
  for (const { name, plugins } of able) {
    for (const plugin of plugins) {
      for (const service of plugin.routes.filter((each) => routes.has(each))) {
        if (isHostsOwn(service) && routes.get(service) !== name) continue;
        const named = choices.get(service) ?? new Map<string, string>();
        choices.set(service, named.set(name, name).set(uriOf(plugin), name));
      }
    }
  }
  return choices;
}
