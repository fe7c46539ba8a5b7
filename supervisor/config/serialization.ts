import type { Config } from "./config.ts";

/** Fields that are Maps; JSON has none. */
const mapFields = [
  "plugins",
  "pluginOrigins",
  "proxyPlugins",
  "timeoutsMs",
  "streamProcessors",
  "packages",
  "routes",
  "entryErrors",
] as const satisfies readonly (keyof Config)[];

/** The config as plain JSON, for handing it to another process. Secrets in it are references still. */
export function serializeConfig(config: Config): Record<string, unknown> {
  const lists = mapFields.map((key) => [key, [...config[key]]] as const);
  return { ...config, ...Object.fromEntries(lists) };
}

/** The config that `serializeConfig` made the value of, after JSON. */
export function deserializeConfig(value: unknown): Config {
  const fields = value as Record<(typeof mapFields)[number], [string, unknown][]>;
  const maps = mapFields.map((key) => [key, new Map(fields[key])] as const);
  return { file: undefined, temp: undefined, ...fields, ...Object.fromEntries(maps) } as unknown as Config;
}
