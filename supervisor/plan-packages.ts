import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "./config/config.ts";
import { discoverPackages, type PackageFolder } from "./config/discover-packages.ts";
import { externalPackages } from "./config/external-packages.ts";
import { applyOverride } from "./config/manifest-override.ts";
import { type Manifest, uriOf } from "./config/manifest.ts";
import { pluginConfigs, type PluginConfigs, unusedConfigs } from "./config/plugin-configs.ts";
import { describeProblem } from "./config/problem.ts";
import { buildGraph, type Graph } from "./graph/build-graph.ts";
import type { Log } from "./log.ts";
import { DataVersions } from "./process/data-versions.ts";
import { builtInPlugins, controlPackage, controlRoutes } from "./services/built-in-plugins.ts";
import { hostVersion } from "./version.ts";

/** The packages that came with Bulkhead: sources in a checkout, bundles in an installed package. */
const shippedFolder = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../plugins" : "./plugins", import.meta.url),
);

export interface PackagePlans {
  readonly graph: Graph;
  readonly configs: PluginConfigs;
}

/** Finds every package of this host and decides who starts after whom, routes what and may call what. */
export async function planPackages(config: Config, log: Log): Promise<PackagePlans> {
  const cacheFile = join(config.state, "manifests.json");
  const shippedCacheFile = shippedCache(process.env["NODE_COMPILE_CACHE"]);
  const discovery = await discoverPackages(packageFolders(config), { hostVersion, cacheFile, shippedCacheFile });
  const found = discovery.packages.map(({ manifest, failure }) => ({
    manifest: applyOverride(manifest, config.packages.get(manifest.name)),
    failure: failure ?? config.entryErrors.get(`packages.${manifest.name}`),
  }));
  const externals = externalPackages(config, new Set(found.map(({ manifest }) => manifest.name))).map((manifest) =>
    applyOverride(manifest, config.packages.get(manifest.name)),
  );
  const packages = [...found, ...externals.map((manifest) => ({ manifest, failure: undefined }))];
  const configs = await pluginConfigs(
    config,
    packages.map(({ manifest }) => manifest),
  );
  const dataVersions = new DataVersions(config.root);
  const graph = buildGraph({
    packages: packages.map(({ manifest, failure }) => ({
      manifest,
      failure: failure ?? configFailure(manifest, configs) ?? dataVersions.problem(manifest),
    })),
    builtIn: { name: controlPackage, plugins: builtInPlugins, services: controlRoutes },
    disabled: config.disabledPlugins,
    required: config.requiredPlugins,
    routes: config.routes,
    version: config.version,
  });
  const plugins = [...builtInPlugins, ...packages.flatMap(({ manifest }) => manifest.plugins)];
  const warnings = [...config.warnings, ...discovery.warnings, ...graph.warnings, ...unusedConfigs(config, plugins)];
  for (const warning of warnings) log.warn("config", { warning });
  for (const { manifest } of graph.plans) {
    for (const warning of manifest.warnings) log.warn("manifest", { plugin: manifest.name, warning });
  }
  for (const [entry, error] of config.entryErrors) log.error("config entry is wrong and left out", { entry, error });
  return { graph, configs };
}

/** Beside the compiled code, which is trusted as much, so that the first start after a reboot has it too. */
function shippedCache(folder: string | undefined): string | undefined {
  if (folder === undefined || folder === "") return undefined;
  const place = createHash("sha256").update(shippedFolder).digest("hex").slice(0, 16);
  return join(folder, `manifests-${place}.json`);
}

/** What is wrong with the config of one of its plugins; undefined: nothing. */
function configFailure(manifest: Manifest, { problems }: PluginConfigs): string | undefined {
  const entries = new Set(manifest.plugins.map((plugin) => `plugins.${uriOf(plugin)}`));
  const own = problems.filter(({ entry }) => entry !== undefined && entries.has(entry));
  return own.length === 0 ? undefined : own.map(describeProblem).join("; ");
}

/** In order of precedence; a name found twice belongs to the first. */
function packageFolders(config: Config): PackageFolder[] {
  return [
    { path: shippedFolder, shipped: true, optional: false },
    { path: "/usr/lib/bulkhead/plugins", shipped: false, optional: true },
    { path: "/etc/bulkhead/plugins", shipped: false, optional: true },
    ...config.pluginDirs.map((path) => ({ path, shipped: false, optional: false })),
  ];
}
