import type { PluginDeclaration } from "../config/manifest.ts";
import { uriOf } from "../config/manifest.ts";

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
  /** Full service name to the package that keeps its route. */
  readonly routes: ReadonlyMap<string, string>;
  /** Service to packages that route it, by `bulkhead-plugin` value: package name and type.id. */
  readonly choices: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Packages that must fail for a route that another keeps, and the text that says so. */
  readonly conflicts: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

const hostsOwn = /^(grpc\.health|grpc\.reflection|bulkhead\.plugin|bulkhead\.host|bulkhead\.control|plugin)\./;

/** Whether the service is one that the host never routes to a package. */
export function isHostsOwn(service: string): boolean {
  return hostsOwn.test(service);
}

/**
 * Who keeps each route: `chosen` by the config, else the built-in and shipped package, else the first by name. Who
 * routes what another keeps fails, unless the config chose (then clients may pick either).
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
  for (const candidate of ranked.filter(({ failed }) => !failed)) {
    const services = routable(candidate).filter((service) => (valid.get(service) ?? candidate.name) === candidate.name);
    const taken = services.find((service) => routes.has(service));
    if (taken !== undefined)
      conflicts.set(candidate.name, conflictText(taken, routes.get(taken) ?? "", candidate, builtIn));
    else for (const service of services) routes.set(service, candidate.name);
  }
  for (const candidate of ranked)
    for (const service of routable(candidate)) if (!routes.has(service)) routes.set(service, candidate.name);
  const able = candidates.filter(({ name, failed }) => !failed && !conflicts.has(name));
  return { routes, choices: listChoices([builtIn, ...able], routes), conflicts, warnings };
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

function routesIt(candidates: readonly RouteCandidate[], service: string, name: string): boolean {
  return candidates.some((candidate) => candidate.name === name && routable(candidate).includes(service));
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
      const able = candidates.filter((candidate) => routable(candidate).includes(service)).map((each) => each.name);
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
