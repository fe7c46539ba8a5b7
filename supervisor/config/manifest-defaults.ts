import type { Manifest, PluginDeclaration, Tier } from "./manifest.ts";
import { tasksPackage } from "./tasks-rule.ts";

/** What a manifest that says only its name and tier means (plugin contract, section 2). */
export function manifestDefaults(name: string, tier: Tier): Manifest {
  return {
    name,
    version: "0.0.0",
    folder: "",
    tier,
    address: undefined,
    command: undefined,
    main: undefined,
    plugins: [],
    methods: new Map(),
    activation: "eager",
    singleton: false,
    restart: { policy: "permanent", firstMs: 0, minMs: 100, maxMs: 30_000, intensity: 5, periodMs: 60_000 },
    readiness: { by: tier === "native" ? "fd" : "socket", timeoutMs: 30_000 },
    watchdog: { intervalMs: 10_000, misses: 3 },
    parking: { policy: "park", calls: 1000, bytes: 16 * 1024 * 1024, timeMs: 30_000 },
    stop: { graceMs: 10_000, kill: "group" },
    limits: { memoryBytes: undefined, cpu: undefined, pids: undefined, nofile: undefined, coreBytes: undefined },
    user: undefined,
    groups: [],
    noNewPrivileges: name !== tasksPackage,
    env: {},
    inheritEnv: false,
    data: undefined,
    listen: [],
    redirects: [],
    shipped: false,
    warnings: [],
  };
}

/** A registration that serves nothing and needs nothing. */
export function pluginDefaults(type: string, id: string): PluginDeclaration {
  return {
    type,
    id,
    serves: [],
    routes: [],
    requires: [],
    wants: [],
    calls: [],
    capabilities: [],
    exports: {},
    platforms: [],
    config: undefined,
    shows: undefined,
  };
}
