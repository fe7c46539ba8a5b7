import { manifestDefaults, pluginDefaults } from "../../supervisor/config/manifest-defaults.ts";
import type { Manifest, MethodPolicy } from "../../supervisor/config/manifest.ts";
import { buildGraph, type Graph } from "../../supervisor/graph/build-graph.ts";
import type { Chance } from "./machine/chance.ts";

const leastPackages = 2;
const mostPackages = 8;
/** A type that several packages register: whoever requires it needs one of them. */
const sharedType = "t.shared.v1";

/** Random packages that need one another, as the real graph plans them. */
export function randomGraph(chance: Chance): Graph {
  const count = chance.between(leastPackages, mostPackages);
  const names = Array.from({ length: count }, (_, at) => `p${at}`);
  const packages = names.map((name, at) => ({ manifest: randomManifest(chance, name, names.slice(0, at), names) }));
  return buildGraph({
    packages,
    builtIn: { name: "control", plugins: [], services: [] },
    disabled: chance.happens(0.1) ? [`t.${names[0]}.v1.main`] : [],
    required: [],
    routes: new Map(),
    version: 2,
  });
}

/** It needs some of those `before` it, so that there is no cycle; now and then any at all. */
function randomManifest(chance: Chance, name: string, before: readonly string[], all: readonly string[]): Manifest {
  const tier = chance.weighted({ native: 5, proxy: 4, external: 1 });
  const needed = chance.happens(0.03) ? all : before;
  const some = (probability: number): string[] =>
    needed.filter((other) => other !== name && chance.happens(probability)).map((other) => `t.${other}.v1`);
  const requires = some(0.3);
  if (before.length > 2 && chance.happens(0.15)) requires.push(sharedType);
  const routes = [`svc.${name}`];
  const main = { ...pluginDefaults(`t.${name}.v1`, "main"), routes, serves: routes, requires, wants: some(0.2) };
  const shares = chance.happens(0.3) ? [pluginDefaults(sharedType, name)] : [];
  const isNative = tier === "native";
  return {
    ...manifestDefaults(name, tier),
    address: tier === "external" ? `/ext/${name}.sock` : undefined,
    command: ["/bin/true"],
    plugins: [main, ...shares],
    singleton: chance.happens(0.4),
    restart: {
      policy: chance.weighted({ permanent: 8, transient: 2, temporary: 1 }),
      firstMs: chance.happens(0.8) ? 0 : 50,
      minMs: chance.between(20, 100),
      maxMs: chance.between(500, 3000),
      intensity: chance.pick([0, 1, 3, 5]) ?? 0,
      periodMs: chance.between(2000, 20_000),
    },
    readiness: { by: isNative || chance.happens(0.3) ? "fd" : "socket", timeoutMs: chance.between(500, 3000) },
    watchdog: { intervalMs: chance.between(200, 1500), misses: chance.between(1, 3) },
    parking: {
      policy: chance.happens(0.8) ? "park" : "refuse",
      calls: chance.between(1, 6),
      bytes: chance.between(60, 400),
      timeMs: chance.between(300, 4000),
    },
    stop: { graceMs: chance.between(100, 1500), kill: "group" },
    methods: new Map([
      [`/svc.${name}/Get`, policy({ idempotent: true })],
      [`/svc.${name}/Watch`, policy({ unbounded: true })],
    ]),
  };
}

function policy(more: Partial<MethodPolicy>): MethodPolicy {
  return { idempotent: false, unbounded: false, redirects: false, timeoutMs: undefined, ...more };
}
