import type { Config, JsonObject } from "./config.ts";
import { configDocument } from "./config-document.ts";
import { discoverPackages } from "./discover-packages.ts";
import { inFileOrder, type LoadOptions, readConfig } from "./load.ts";
import { type Manifest, uriOf } from "./manifest.ts";
import { applyOverride } from "./manifest-override.ts";
import { nearestWord } from "./nearest.ts";
import { searchedFolders } from "./package-folders.ts";
import { type PluginConfigs, pluginConfigs, unusedConfigs } from "./plugin-configs.ts";
import type { ConfigProblem } from "./problem.ts";
import { hideSecrets } from "./secrets.ts";
import { externalPackages } from "./external-packages.ts";

/** A config with the packages that it would run, read for showing and checking; nothing is started. */
export interface Inspection {
  readonly config: Config;
  /** Packages that could be read, overrides applied, proxy plugins among them. */
  readonly packages: readonly { readonly manifest: Manifest; readonly failure: string | undefined }[];
  readonly configs: PluginConfigs;
  /** Everything wrong in config, manifests and plugins' own config. */
  readonly problems: readonly ConfigProblem[];
}

/** Reads all that a daemon with these options would read. Never throws for what is wrong in it. */
export async function inspectConfig(options: LoadOptions, hostVersion: string): Promise<Inspection> {
  const { config, problems } = await readConfig(options);
  const { packages: found, warnings } = await discoverPackages(searchedFolders(config), { hostVersion });
  const loaded = found.map(({ manifest, failure }) => ({
    manifest: applyOverride(manifest, config.packages.get(manifest.name)),
    failure: failure ?? config.entryErrors.get(`packages.${manifest.name}`),
  }));
  const externals = externalPackages(config, new Set(loaded.map(({ manifest }) => manifest.name)));
  const packages = [...loaded, ...externals.map((manifest) => ({ manifest, failure: undefined }))];
  const manifests = packages.map(({ manifest }) => manifest);
  const configs = await pluginConfigs(config, manifests, options.env);
  const texts = [
    ...warnings,
    ...unusedConfigs(
      config,
      manifests.flatMap(({ plugins }) => plugins),
    ),
    ...unknownPackages(config, manifests),
  ];
  return {
    config,
    packages,
    configs,
    problems: inFileOrder([
      ...problems,
      ...found.flatMap((each) => each.problems),
      ...configs.problems,
      ...texts.map(asWarning),
    ]),
  };
}

/** What `config default` and `config dump` print. */
export function inspectionDocument({ config, packages, configs }: Inspection): JsonObject {
  const plugins = new Map<string, JsonObject>();
  for (const { manifest } of packages) {
    for (const plugin of manifest.plugins) {
      const shown = configs.shownConfigOf(manifest, uriOf(plugin));
      if (Object.keys(shown).length > 0) plugins.set(uriOf(plugin), shown);
    }
  }
  for (const [name, value] of config.version === 2 ? config.plugins : []) {
    if (!plugins.has(name)) plugins.set(name, hideSecrets(value) as JsonObject);
  }
  return configDocument(config, plugins);
}

function unknownPackages({ packages, routes }: Config, manifests: readonly Manifest[]): string[] {
  const names = manifests.map(({ name }) => name);
  const text = (where: string, name: string): string => {
    const nearest = nearestWord(name, names);
    return `${where}: no package is named ${name}${nearest === undefined ? "" : `; did you mean "${nearest}"?`}`;
  };
  return [
    ...[...packages.keys()].filter((name) => !names.includes(name)).map((name) => text("packages", name)),
    ...[...routes.values()].filter((name) => !names.includes(name)).map((name) => text("routes", name)),
  ];
}

function asWarning(message: string): ConfigProblem {
  return { severity: "warning", file: "", line: 0, column: 0, path: "", message, hint: "", entry: undefined };
}
