import type { Manifest } from "../config/manifest.ts";
import type { Requirement } from "../lifecycle/plan.ts";
import { type Edges, reachableFrom } from "./dependency-graph.ts";
import type { Registry } from "./registry.ts";

/** What a package waits for before it starts, and whose Init comes first. */
export interface PackageNeeds {
  readonly requirements: readonly Requirement[];
  /** Packages. */
  readonly wants: readonly string[];
}

/**
 * The needs of each package. An item that the package itself or `builtIn` answers asks for nothing: inside a package
 * order is its own affair, and the built-in plugins are there before all. `*` is every other package but those
 * that come after this one or have a `*` themselves.
 */
export function findNeeds(
  manifests: readonly Manifest[],
  registry: Registry,
  builtIn: string,
): ReadonlyMap<string, PackageNeeds> {
  const plain = new Map(manifests.map((manifest) => [manifest.name, plainNeeds(manifest, registry, builtIn)]));
  const after = edgesOf(plain);
  const last = new Set(manifests.filter((manifest) => names(manifest, "both").includes("*")).map(({ name }) => name));
  const everyone = (name: string): string[] =>
    [...plain.keys()].filter((other) => !last.has(other) && !reachableFrom(other, after).has(name));
  return new Map(manifests.map((manifest) => [manifest.name, withStars(manifest, plain.get(manifest.name), everyone)]));
}

/** Package to packages it comes after. */
export function edgesOf(needs: ReadonlyMap<string, PackageNeeds>): Edges {
  return new Map(
    [...needs].map(([name, { requirements, wants }]) => [
      name,
      new Set([...requirements.flatMap(({ providers }) => providers), ...wants]),
    ]),
  );
}

function plainNeeds(manifest: Manifest, registry: Registry, builtIn: string): PackageNeeds {
  const providers = (item: string): string[] => [...new Set(registry.find(item).map((member) => member.package))];
  const others = (item: string): string[] =>
    providers(item).filter((name) => name !== manifest.name && name !== builtIn);
  const requirements = names(manifest, "requires")
    .filter((item) => item !== "*" && !providers(item).some((name) => name === manifest.name || name === builtIn))
    .map((item) => ({ item, providers: others(item) }));
  const wants = names(manifest, "wants").filter((item) => item !== "*");
  return { requirements, wants: [...new Set(wants.flatMap(others))] };
}

function withStars(
  manifest: Manifest,
  needs: PackageNeeds = { requirements: [], wants: [] },
  everyone: (name: string) => string[],
): PackageNeeds {
  const required = names(manifest, "requires").includes("*") ? everyone(manifest.name) : [];
  const wanted = names(manifest, "wants").includes("*") ? everyone(manifest.name) : [];
  return {
    requirements: [...needs.requirements, ...required.map((name) => ({ item: "*", providers: [name] }))],
    wants: [...new Set([...needs.wants, ...wanted])],
  };
}

/** Distinct items of all registrations. */
function names({ plugins }: Manifest, key: "requires" | "wants" | "both"): string[] {
  const items = plugins.flatMap(({ requires, wants }) => [
    ...(key === "wants" ? [] : requires),
    ...(key === "requires" ? [] : wants),
  ]);
  return [...new Set(items)];
}
