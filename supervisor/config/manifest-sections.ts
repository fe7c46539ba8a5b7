import type { Json } from "./config.ts";
import { Fields } from "./fields.ts";
import { pluginDefaults } from "./manifest-defaults.ts";
import { expectations, patterns } from "./manifest-patterns.ts";
import { type Manifest, type MethodPolicy, type PluginDeclaration, serviceOfRoute } from "./manifest.ts";
import type { KeyPath } from "./source.ts";

/** What a file says of a section; undefined: nothing, so the default or the manifest's own value counts. */
export type Part<T> = { readonly [K in keyof T]: T[K] | undefined };

/** The base with what `part` says. */
export function overlay<T extends object>(
  base: T,
  part: { readonly [K in keyof T]?: T[K] | undefined } | undefined,
): T {
  const given = Object.entries(part ?? {}).filter(([, value]) => value !== undefined);
  return { ...base, ...(Object.fromEntries(given) as Partial<T>) };
}

export function readRestart(fields: Fields): Part<Manifest["restart"]> {
  const section = fields.section("restart");
  const read = {
    policy: section.oneOf("policy", ["permanent", "transient", "temporary"]),
    firstMs: section.duration("first"),
    minMs: section.duration("min", 1),
    maxMs: section.duration("max", 1),
    intensity: section.integer("intensity", 0, 1_000_000),
    periodMs: section.duration("period", 1),
  };
  section.finish();
  return read;
}

export function readReadiness(fields: Fields): Part<Manifest["readiness"]> {
  const section = fields.section("readiness");
  const read = {
    by: section.oneOf("by", ["fd", "socket"]),
    timeoutMs: section.duration("timeout", 1),
  };
  section.finish();
  return read;
}

export function readWatchdog(fields: Fields): Part<Manifest["watchdog"]> {
  const section = fields.section("watchdog");
  const read = {
    intervalMs: section.duration("interval", 100),
    misses: section.integer("misses", 1, 1000),
  };
  section.finish();
  return read;
}

export function readParking(fields: Fields): Part<Manifest["parking"]> {
  const section = fields.section("parking");
  const read = {
    policy: section.oneOf("policy", ["park", "refuse"]),
    calls: section.integer("calls", 0, 1_000_000),
    bytes: section.size("bytes"),
    timeMs: section.duration("time"),
  };
  section.finish();
  return read;
}

export function readStop(fields: Fields): Part<Manifest["stop"]> {
  const section = fields.section("stop");
  const read = {
    graceMs: section.duration("grace"),
    kill: section.oneOf("kill", ["group", "process"]),
  };
  section.finish();
  return read;
}

export function readLimits(fields: Fields): Part<Manifest["limits"]> {
  const section = fields.section("limits");
  const read = {
    memoryBytes: section.size("memory", 1024 * 1024),
    cpu: section.number("cpu", 0.001, 4096),
    pids: section.integer("pids", 1, 4_194_304),
    nofile: section.integer("nofile", 16, 1_073_741_816),
    coreBytes: section.size("core"),
  };
  section.finish();
  return read;
}

/** A user by name or number. */
export function readUser(fields: Fields): string | undefined {
  const raw = fields.raw("user");
  if (typeof raw === "number" && Number.isSafeInteger(raw) && raw >= 0) return String(raw);
  return fields.string("user", patterns.user, expectations.user);
}

/** Extra groups by name or number. */
export function readGroups(fields: Fields): string[] | undefined {
  return fields.list("groups", (item, path) => {
    if (typeof item === "number" && Number.isSafeInteger(item) && item >= 0) return String(item);
    if (typeof item === "string" && patterns.user.test(item)) return item;
    fields.problems.error(path, "expected a group name or number");
    return undefined;
  });
}

export function readEnvironment(fields: Fields): Record<string, string> | undefined {
  const env = fields.stringMap("env");
  for (const name of Object.keys(env ?? {}))
    if (!patterns.environmentName.test(name))
      fields.problems.error([...fields.pathOf("env"), name], "expected a name of letters, digits and _");
  return env;
}

export function readMethods(fields: Fields): Manifest["methods"] {
  const read = (value: Json, path: KeyPath, name: string): MethodPolicy | undefined => {
    if (!patterns.method.test(name)) {
      fields.problems.error(path, `expected a full method path like /acme.v1.Thing/Get, got "${name}"`);
      return undefined;
    }
    const method = Fields.of(value, path, fields.problems);
    const policy = {
      idempotent: method.boolean("idempotent") ?? false,
      unbounded: method.boolean("unbounded") ?? false,
      redirects: method.boolean("redirects") ?? false,
      timeoutMs: method.duration("timeout", 1),
    };
    method.finish(/^x-/);
    return policy;
  };
  return fields.map("methods", read) ?? new Map<string, MethodPolicy>();
}

export function readData(fields: Fields): Manifest["data"] {
  if (!fields.has("data")) return undefined;
  const section = fields.section("data");
  const version = section.integer("version", 0);
  const reads = section.list("reads", (item, path) => {
    if (typeof item === "number" && Number.isSafeInteger(item) && item >= 0) return item;
    fields.problems.error(path, "expected a whole number of 0 or more");
    return undefined;
  });
  section.finish();
  if (version !== undefined) return { version, reads: [...new Set([version, ...(reads ?? [])])] };
  if (!section.has("version")) section.error("version", "expected the version of the data this package writes");
  return undefined;
}

/** Every registration. */
export function readPlugins(fields: Fields): PluginDeclaration[] {
  const seen = new Set<string>();
  const plugins = fields.list("plugins", (item, path) => {
    const plugin = readPlugin(Fields.of(item, path, fields.problems));
    if (plugin === undefined) return undefined;
    const uri = `${plugin.type}.${plugin.id}`;
    if (seen.has(uri)) fields.problems.error(path, `${uri} is registered twice`);
    seen.add(uri);
    return plugin;
  });
  const raw = fields.raw("plugins");
  if (raw === undefined || (Array.isArray(raw) && raw.length === 0))
    fields.error("plugins", "expected at least one plugin", "add an item with type and id");
  return plugins ?? [];
}

function readPlugin(fields: Fields): PluginDeclaration | undefined {
  const type = required(fields, "type", patterns.pluginType, expectations.pluginType);
  const id = required(fields, "id", patterns.pluginId, expectations.pluginId);
  const items = (key: string): string[] | undefined => fields.strings(key, patterns.item, expectations.item);
  const routes = fields.strings("routes", patterns.route, expectations.route) ?? [];
  const serves = fields.strings("serves", patterns.service, expectations.service) ?? [];
  const plugin = {
    ...pluginDefaults(type ?? "", id ?? ""),
    serves: [...new Set([...serves, ...routes.map(serviceOfRoute)])],
    routes,
    requires: items("requires") ?? [],
    wants: items("wants") ?? [],
    calls: items("calls") ?? [],
    capabilities: fields.strings("capabilities") ?? [],
    platforms: fields.strings("platforms", patterns.platform, expectations.platform) ?? [],
    config: fields.string("config", patterns.relativePath, expectations.relativePath),
    shows: fields.strings("shows", patterns.item, expectations.item),
  };
  fields.finish(/^x-/);
  return type === undefined || id === undefined ? undefined : plugin;
}

/** A key that must be there. */
export function required(fields: Fields, key: string, pattern: RegExp, expected: string): string | undefined {
  if (fields.has(key)) return fields.string(key, pattern, expected);
  return fields.error(key, `${key} is missing: expected ${expected}`);
}
