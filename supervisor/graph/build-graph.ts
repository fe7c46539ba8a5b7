/**
 * From manifests to what a fleet runs and a router routes: pure, no I/O.
 *
 *     const graph = buildGraph({ packages, builtIn, disabled, required, routes, version });
 *     new Fleet({ plans: graph.plans, … });          // boot order; stop in reverse
 *     graph.routes, graph.choices                    // for the route table; plan.calls for each package's row
 *     graph.introspection                            // what the Plugins call lists, in containerd's order
 *     graph.missingRequired                          // not empty: the boot must end with these texts
 *
 * `packages` come in registration order (shipped folder first), each with its manifest, overrides applied; one whose
 * manifest is broken has a `failure` and is planned as failed.
 */
import { type Manifest, type PluginDeclaration, uriOf } from "../config/manifest.ts";
import type { PackagePlan } from "../lifecycle/plan.ts";
import { peersOf, permittedCalls } from "./call-permissions.ts";
import { orderNodes } from "./dependency-graph.ts";
import { introspectionOrder } from "./introspection-order.ts";
import { edgesOf, findNeeds } from "./package-needs.ts";
import { type Member, Registry } from "./registry.ts";
import { assignRoutes, type RouteCandidate } from "./route-owners.ts";

export interface GraphInput {
  readonly packages: readonly { readonly manifest: Manifest; readonly failure?: string | undefined }[];
  /** What the host is itself: always there, keeps its routes against everyone. */
  readonly builtIn: {
    readonly name: string;
    readonly plugins: readonly PluginDeclaration[];
    /** Services it routes beside those of its plugins. */
    readonly services: readonly string[];
  };
  /** URIs; ids in version 1. */
  readonly disabled: readonly string[];
  readonly required: readonly string[];
  /** Service to the package that is to route it. */
  readonly routes: ReadonlyMap<string, string>;
  /** Of the config file: 1 names plugins by bare id. */
  readonly version: 1 | 2;
}

export interface Graph {
  /** Each package once, after what it needs. Disabled plugins are gone, unless all of a package are disabled. */
  readonly plans: readonly PackagePlan[];
  /** The same names in waves: what is in one wave starts at once. */
  readonly waves: readonly (readonly string[])[];
  readonly routes: ReadonlyMap<string, string>;
  /** Service to package, by `bulkhead-plugin` value. */
  readonly choices: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Packages that hold a required plugin. */
  readonly requiredPackages: ReadonlySet<string>;
  /** containerd's texts for required plugins that are absent or disabled. */
  readonly missingRequired: readonly string[];
  /** Every plugin that is not disabled, the built-in ones included, in containerd's order. */
  readonly introspection: readonly Member[];
  /** Texts for the log. */
  readonly warnings: readonly string[];
}

/** Decides who starts after whom, who fails and why, who routes what, and who may call what. */
export function buildGraph(input: GraphInput): Graph {
  const { builtIn } = input;
  const entries = input.packages.map((each) => withoutDisabled(each, input));
  const failures = new Map(entries.flatMap(({ manifest, failure }) => (failure ? [[manifest.name, failure]] : [])));
  const enabled = entries.filter(({ disabled }) => !disabled).map(({ manifest }) => manifest);
  failDuplicates(enabled, builtIn, failures);

  const candidate = (manifest: Manifest): RouteCandidate => ({ ...manifest, failed: failures.has(manifest.name) });
  const owners = assignRoutes({ ...builtIn, shipped: true, failed: false }, enabled.map(candidate), input.routes);
  for (const [name, text] of owners.conflicts) failures.set(name, text);

  // Whatever failed is still known, so that others can say what they wait for; but it claims no URI.
  const able = enabled.filter(({ name }) => !failures.has(name));
  const registry = new Registry([builtIn, ...able, ...enabled.filter(({ name }) => failures.has(name))]);
  const needs = findNeeds(enabled, registry, builtIn.name);
  const ordering = orderNodes(
    enabled.map(({ name }) => name),
    edgesOf(needs),
  );
  for (const [name, path] of ordering.cycles)
    if (!failures.has(name))
      failures.set(name, `dependency cycle: ${path.join(" -> ")}; change requires or wants of one of them`);

  const plan = (manifest: Manifest): PackagePlan => {
    const peers = peersOf(manifest, registry);
    const failure = failures.get(manifest.name);
    return {
      manifest,
      initial: failure === undefined ? { state: "declared", reason: "" } : { state: "failed", reason: failure },
      requirements: needs.get(manifest.name)?.requirements ?? [],
      wants: needs.get(manifest.name)?.wants ?? [],
      peers,
      calls: permittedCalls(peers, owners.routes),
    };
  };
  const byName = new Map(enabled.map((manifest) => [manifest.name, manifest]));
  const running = ordering.order.flatMap((name) => byName.get(name) ?? []).map(plan);
  const disabled = entries.filter((entry) => entry.disabled).map(({ manifest }) => disabledPlan(manifest));
  return {
    plans: [...running, ...disabled],
    waves: ordering.waves,
    routes: owners.routes,
    choices: owners.choices,
    ...checkRequired(registry, input),
    introspection: introspectionOrder(new Registry([builtIn, ...enabled]).members),
    warnings: owners.warnings,
  };
}

interface Entry {
  readonly manifest: Manifest;
  readonly failure?: string | undefined;
  readonly disabled: boolean;
}

function withoutDisabled(entry: GraphInput["packages"][number], { disabled, version }: GraphInput): Entry {
  const { plugins } = entry.manifest;
  const isDisabled = (plugin: PluginDeclaration): boolean =>
    disabled.includes(uriOf(plugin)) || (version === 1 && disabled.includes(plugin.id));
  const enabled = plugins.filter((plugin) => !isDisabled(plugin));
  if (plugins.length > 0 && enabled.length === 0) return { ...entry, disabled: true };
  return { ...entry, manifest: { ...entry.manifest, plugins: enabled }, disabled: false };
}

function disabledPlan(manifest: Manifest): PackagePlan {
  const reason = "all its plugins stand in disabled_plugins";
  return { manifest, initial: { state: "disabled", reason }, requirements: [], wants: [], peers: [], calls: {} };
}

/** Of packages with one URI the built-in and shipped ones keep it, then the first; the others fail. */
function failDuplicates(
  enabled: readonly Manifest[],
  builtIn: GraphInput["builtIn"],
  failures: Map<string, string>,
): void {
  const owners = new Map(builtIn.plugins.map((plugin) => [uriOf(plugin), builtIn.name]));
  const ranked = [...enabled.filter(({ shipped }) => shipped), ...enabled.filter(({ shipped }) => !shipped)];
  for (const { name, plugins } of ranked.filter((manifest) => !failures.has(manifest.name))) {
    const taken = plugins.map(uriOf).find((uri) => owners.has(uri));
    if (taken === undefined) for (const plugin of plugins) owners.set(uriOf(plugin), name);
    else
      failures.set(
        name,
        `plugin ${taken} is registered by ${owners.get(taken)} already; remove one of the two packages`,
      );
  }
}

function checkRequired(
  registry: Registry,
  { required, version }: GraphInput,
): Pick<Graph, "requiredPackages" | "missingRequired"> {
  const holders = (name: string): Member[] =>
    registry.members.filter(({ uri, plugin }) => uri === name || (version === 1 && plugin.id === name));
  const missing = required.filter((name) => holders(name).length === 0);
  return {
    requiredPackages: new Set(required.flatMap((name) => holders(name).map((member) => member.package))),
    // containerd prints all that are missing as one list.
    missingRequired:
      missing.length === 0
        ? []
        : [
            `required plugin ${JSON.stringify(missing).replaceAll(/[",]/g, (c) => (c === "," ? " " : ""))} not included`,
          ],
  };
}
