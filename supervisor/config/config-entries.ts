import { isAbsolute } from "node:path";
import type { Config, Json, JsonObject, ProxyPluginConfig, StreamProcessorConfig } from "./config.ts";
import { shortSections } from "./config-defaults.ts";
import { parseDurationMs } from "./duration.ts";
import { fullProxyType, proxyPluginTypes } from "./external-packages.ts";
import { Fields, isObject, quote } from "./fields.ts";
import { expectations, patterns } from "./manifest-patterns.ts";
import { suggest } from "./nearest.ts";
import type { ProblemList } from "./problem-list.ts";
import type { KeyPath } from "./source.ts";

/** Bytes of JSON that one plugin's config may have (plugin contract, section 5). */
export const pluginConfigLimitBytes = 256 * 1024;

/** A plugin's config and where it stands. */
export interface PluginSection {
  readonly value: JsonObject;
  readonly path: KeyPath;
}

/** `plugins`: by URI (version 1: id), as it stands; the plugins' own schemas check it later. */
export function readPlugins(fields: Fields): ReadonlyMap<string, PluginSection> {
  const sections = fields.map("plugins", (value, path) => readPluginSection(value, path, fields.problems));
  return sections ?? new Map<string, PluginSection>();
}

function readPluginSection(value: Json, path: KeyPath, problems: ProblemList): PluginSection | undefined {
  if (value === null) return { value: {}, path };
  if (!isObject(value)) problems.error(path, `expected a map of keys, got ${quote(value)}`);
  else if (Buffer.byteLength(JSON.stringify(value)) <= pluginConfigLimitBytes) return { value, path };
  else
    problems.error(
      path,
      `has more than ${pluginConfigLimitBytes} bytes`,
      "put large values into a file of the plugin's",
    );
  return undefined;
}

/** Top-level short forms, like `metadata`, of a plugin's section; what both say, the short form wins. */
export function readShortSections(fields: Fields, version: number | undefined): ReadonlyMap<string, PluginSection> {
  const sections = new Map<string, PluginSection>();
  for (const [key, { type, id }] of Object.entries(shortSections)) {
    const raw = fields.raw(key);
    if (raw === undefined) continue;
    const section = readPluginSection(raw, fields.pathOf(key), fields.problems);
    const name = version === 1 ? id : `${type}.${id}`;
    const plugins = fields.raw("plugins");
    const long = isObject(plugins) ? plugins[name] : undefined;
    if (section !== undefined)
      sections.set(name, { value: { ...(isObject(long) ? long : {}), ...section.value }, path: section.path });
  }
  return sections;
}

/** `proxy_plugins`; a wrong one fails alone. */
export function readProxyPlugins(fields: Fields): Config["proxyPlugins"] {
  const read = (value: Json, path: KeyPath, name: string): ProxyPluginConfig | undefined => {
    const problems = fields.problems.forEntry(`proxy_plugins.${name}`);
    const entry = Fields.of(value, path, problems);
    const type = entry.string("type");
    const fullType = type === undefined ? undefined : fullProxyType(type);
    if (!patterns.proxyName.test(name)) problems.error(path, `expected ${expectations.proxyName} as the plugin's name`);
    if (type === undefined) entry.error("type", "type is missing", `expected one of ${proxyPluginTypes.join(", ")}`);
    else if (fullType === undefined)
      entry.error(
        "type",
        `unknown type "${type}": expected one of ${proxyPluginTypes.join(", ")}`,
        suggest(type, proxyPluginTypes),
      );
    const address = entry.string("address")?.replace(/^unix:\/\//, "");
    if (address === undefined || !isAbsolute(address))
      entry.error("address", "expected the absolute path of a unix socket");
    const config = {
      type: fullType ?? "",
      address: address ?? "",
      platform: entry.string("platform", patterns.platform, expectations.platform),
      exports: entry.stringMap("exports") ?? {},
      capabilities: entry.strings("capabilities") ?? [],
    };
    entry.finish();
    return problems.entryHasErrors ? undefined : config;
  };
  return fields.map("proxy_plugins", read) ?? new Map<string, ProxyPluginConfig>();
}

/** `timeouts`: any key; a wrong duration is fatal as it is in containerd. */
export function readTimeouts(fields: Fields): Config["timeoutsMs"] {
  const timeouts = fields.map("timeouts", (value, path) => {
    const ms = parseDurationMs(value);
    if (ms === undefined)
      fields.problems.error(path, `expected a duration, got ${quote(value)}`, 'write it like "10s" or "1m30s"');
    return ms;
  });
  return timeouts ?? new Map<string, number>();
}

/** `stream_processors`. */
export function readStreamProcessors(fields: Fields): Config["streamProcessors"] {
  const processors = fields.map("stream_processors", (value, path) => {
    const entry = Fields.of(value, path, fields.problems);
    const processor: StreamProcessorConfig = {
      accepts: entry.strings("accepts") ?? [],
      returns: entry.string("returns") ?? "",
      path: entry.string("path") ?? "",
      args: entry.strings("args") ?? [],
      env: entry.strings("env") ?? [],
    };
    entry.finish();
    return processor;
  });
  return processors ?? new Map<string, StreamProcessorConfig>();
}
