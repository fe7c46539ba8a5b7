import { manifestDefaults, pluginDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import type { Manifest, PluginDeclaration } from "../../../supervisor/config/manifest.ts";
import { buildGraph, type Graph, type GraphInput } from "../../../supervisor/graph/build-graph.ts";

/** A plugin for a table: `a.b.v1.x` and what is special about it. */
export function plugin(uri: string, more: Partial<PluginDeclaration> = {}): PluginDeclaration {
  const dot = uri.lastIndexOf(".");
  const { routes = [], serves = routes } = more;
  return { ...pluginDefaults(uri.slice(0, dot), uri.slice(dot + 1)), ...more, routes, serves };
}

/** A package for a table. */
export function pack(name: string, plugins: readonly PluginDeclaration[], more: Partial<Manifest> = {}): Manifest {
  return { ...manifestDefaults(name, "native"), plugins, ...more };
}

/** The graph of some packages; `control` is the built-in one, with `t.control.v1.own` and the service host.Own. */
export function graphOf(manifests: readonly Manifest[], more: Partial<GraphInput> = {}): Graph {
  return buildGraph({
    packages: manifests.map((manifest) => ({ manifest })),
    builtIn: {
      name: "control",
      plugins: [plugin("t.control.v1.own", { routes: ["host.Own"] })],
      services: ["host.More"],
    },
    disabled: [],
    required: [],
    routes: new Map(),
    version: 2,
    ...more,
  });
}

/** Package names in start order. */
export function orderOf(graph: Graph): string[] {
  return graph.plans.map(({ manifest }) => manifest.name);
}

/** State and reason of each package that is not to run. */
export function troubles(graph: Graph): Record<string, string> {
  return Object.fromEntries(
    graph.plans
      .filter(({ initial }) => initial.state !== "declared")
      .map(({ manifest, initial }) => [manifest.name, `${initial.state}: ${initial.reason}`]),
  );
}
