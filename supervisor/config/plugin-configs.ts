import { HostError } from "#proto/wire/errors.ts";
import type { Config, JsonObject, Origin } from "./config.ts";
import { withHostKeys } from "./host-keys.ts";
import type { Manifest, PluginDeclaration } from "./manifest.ts";
import { uriOf } from "./manifest.ts";
import { suggest } from "./nearest.ts";
import { compileSchema, fillDefaults, readSchema, type SchemaCheck, type SchemaProblem } from "./plugin-schema.ts";
import { type ConfigProblem, describeProblem } from "./problem.ts";
import { hideSecrets, holdsSecrets, resolveSecrets } from "./secrets.ts";
import { formatPath, type Position, wholeFile } from "./source.ts";

/** What each plugin of a host is configured with. */
export interface PluginConfigs {
  /**
   * Config for one start: defaults filled in, secrets read now. Throws HostError (invalid-argument) naming file, line
   * and what was expected; with that the package is failed, and nothing else.
   */
  configOf(manifest: Manifest, uri: string): JsonObject;
  /** The same for people: defaults filled in, secrets hidden. Never throws. */
  shownConfigOf(manifest: Manifest, uri: string): JsonObject;
  /** Everything wrong, of all plugins. */
  readonly problems: readonly ConfigProblem[];
}

/** The plugin's config as the file has it: by `type.id`, in version 1 by id. undefined: none. */
export function pluginConfigOf(
  config: Pick<Config, "plugins" | "version">,
  plugin: PluginDeclaration,
): JsonObject | undefined {
  return config.plugins.get(config.version === 1 ? plugin.id : uriOf(plugin));
}

/**
 * Checks the config of every plugin against its schema. ajv is loaded only when somebody configured something that
 * has a schema, which costs 50 ms; defaults alone need none.
 */
export async function pluginConfigs(
  config: Config,
  manifests: readonly Manifest[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<PluginConfigs> {
  const plugins = manifests.flatMap((manifest) => manifest.plugins.map((plugin) => ({ manifest, plugin })));
  const checked = await Promise.all(plugins.map(({ manifest, plugin }) => checkPlugin(config, manifest, plugin, env)));
  const byUri = new Map(checked.map((each) => [`${each.packageName} ${each.uri}`, each]));
  const find = (manifest: Manifest, uri: string): CheckedPlugin | undefined => byUri.get(`${manifest.name} ${uri}`);
  return {
    problems: checked.flatMap(({ problems }) => problems),
    configOf: (manifest, uri) => find(manifest, uri)?.forStart() ?? {},
    shownConfigOf: (manifest, uri) => find(manifest, uri)?.shown ?? {},
  };
}

/** Sections of `plugins` that no installed plugin reads, as texts for the log. */
export function unusedConfigs(config: Config, plugins: readonly PluginDeclaration[]): string[] {
  const names = plugins.map((plugin) => (config.version === 1 ? plugin.id : uriOf(plugin)));
  return [...config.plugins.keys()]
    .filter((name) => !names.includes(name))
    .map((name) => `no installed plugin is named ${name}; ${suggest(name, names) || "its config is not used"}`);
}

interface CheckedPlugin {
  readonly packageName: string;
  readonly uri: string;
  readonly problems: readonly ConfigProblem[];
  readonly shown: JsonObject;
  forStart(): JsonObject;
}

async function checkPlugin(
  config: Config,
  manifest: Manifest,
  plugin: PluginDeclaration,
  env: NodeJS.ProcessEnv,
): Promise<CheckedPlugin> {
  const given = pluginConfigOf(config, plugin) ?? {};
  const uri = uriOf(plugin);
  const origin = config.pluginOrigins.get(config.version === 1 ? plugin.id : uri);
  const context = { packageName: manifest.name, uri };
  let schema: JsonObject | undefined;
  let check: SchemaCheck = () => [];
  try {
    schema = plugin.config === undefined ? undefined : readSchema(manifest.folder, plugin.config);
    if (schema !== undefined && needsCheck(schema, given)) check = await compileSchema(schema, uri);
  } catch (error) {
    return failed(context, error as HostError, manifest.folder);
  }
  const filled = withHostKeys(config, plugin, schema, fillDefaults(schema, given));
  const forStart = (): { value: JsonObject; found: readonly SchemaProblem[] } => {
    const value = holdsSecrets(filled) ? (resolveSecrets(filled, env) as JsonObject) : filled;
    return { value, found: check(value) };
  };
  const problems = await locate(attempt(forStart), origin, uri);
  return {
    ...context,
    problems,
    shown: hideSecrets(filled, schema) as JsonObject,
    forStart: () => {
      const { value, found } = forStart();
      if (found.length === 0) return value;
      const known = problems.length > 0 ? problems : found.map((problem) => place(problem, origin, uri, wholeFile));
      throw new HostError("invalid-argument", known.map(describeProblem).join("; "));
    },
  };
}

function needsCheck(schema: JsonObject, given: JsonObject): boolean {
  return Object.keys(given).length > 0 || schema["required"] !== undefined || schema["minProperties"] !== undefined;
}

function attempt(forStart: () => { found: readonly SchemaProblem[] }): readonly SchemaProblem[] {
  try {
    return forStart().found;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return [{ path: [], message: error.message, hint: "" }];
  }
}

function failed(context: { packageName: string; uri: string }, error: HostError, file: string): CheckedPlugin {
  const problem: ConfigProblem = {
    severity: "error",
    file,
    ...wholeFile,
    path: "",
    message: error.message,
    hint: "",
    entry: `plugins.${context.uri}`,
  };
  const forStart = (): never => {
    throw error;
  };
  return { ...context, problems: [problem], shown: {}, forStart };
}

/** Where in the file each problem stands; the file is parsed again for that. */
async function locate(
  found: readonly SchemaProblem[],
  origin: Origin | undefined,
  uri: string,
): Promise<readonly ConfigProblem[]> {
  if (found.length === 0 || origin === undefined) return found.map((problem) => place(problem, origin, uri, wholeFile));
  const { source } = await (await import("./imports.ts")).readSource(origin.file);
  return found.map((problem) => place(problem, origin, uri, source.locate([...origin.path, ...problem.path])));
}

function place(
  { path, message, hint }: SchemaProblem,
  origin: Origin | undefined,
  uri: string,
  position: Position,
): ConfigProblem {
  const whole = [...(origin?.path ?? ["plugins", uri]), ...path];
  const file = origin?.file ?? "";
  return { severity: "error", file, ...position, path: formatPath(whole), message, hint, entry: `plugins.${uri}` };
}
