import { basename, isAbsolute, join } from "node:path";
import type { Json } from "./config.ts";
import { Fields } from "./fields.ts";
import { manifestDefaults } from "./manifest-defaults.ts";
import { expectations, patterns } from "./manifest-patterns.ts";
import {
  overlay,
  readData,
  readEnvironment,
  readGroups,
  readLimits,
  readMethods,
  readParking,
  readPlugins,
  readReadiness,
  readRestart,
  readStop,
  readUser,
  readWatchdog,
  required,
} from "./manifest-sections.ts";
import type { Manifest, Tier } from "./manifest.ts";
import { refuseForTasks } from "./tasks-rule.ts";
import { type ConfigProblem, describeProblem } from "./problem.ts";
import { ProblemList } from "./problem-list.ts";
import { readText } from "./read-text.ts";
import { parseRange, parseVersion } from "./semver.ts";
import { type Source, SourceError, wholeFile } from "./source.ts";
import { parseYaml } from "./yaml-source.ts";

/** Bytes a plugin.yaml may have. */
export const manifestLimitBytes = 256 * 1024;

export interface ManifestOptions {
  /** This Bulkhead's version; `needs.bulkhead` is checked against it. */
  readonly hostVersion: string;
  /** The package came with Bulkhead. */
  readonly shipped: boolean;
  /** Parsed text of manifests that were read before; see manifest-cache.ts. */
  readonly cache?: ParsedTexts;
}

/** Remembers what texts were parsed to. */
export interface ParsedTexts {
  get(file: string, text: string): Json | undefined;
  set(file: string, text: string, value: Json): void;
}

/** A plugin.yaml as far as it could be understood, and what is wrong with it. */
export interface LoadedManifest {
  /** With errors among the problems: only good for showing that the package failed. */
  readonly manifest: Manifest;
  readonly problems: readonly ConfigProblem[];
  /** Why the package must not run: its first error, with file and line; undefined: it may. */
  readonly failure: string | undefined;
}

/** Reads and checks `<folder>/plugin.yaml`, filling in every default. Never throws for what stands in it. */
export async function loadManifest(folder: string, options: ManifestOptions): Promise<LoadedManifest> {
  const file = join(folder, "plugin.yaml");
  const unnamed = { ...manifestDefaults(fallbackName(folder), "proxy"), folder, shipped: options.shipped };
  try {
    const source = await readSource(file, options.cache);
    const problems = new ProblemList(source);
    const manifest = readManifest(source, problems, unnamed, options.hostVersion);
    if (!problems.hasErrors) return finish(manifest, problems.found);
    // Positions were not known if the text came from the cache.
    const located = new ProblemList(await parseYaml(file, readText(file, manifestLimitBytes)));
    readManifest(located.source, located, unnamed, options.hostVersion);
    return finish(manifest, located.found);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return finish(unnamed, [unreadable(file, error)]);
  }
}

async function readSource(file: string, cache: ParsedTexts | undefined): Promise<Source> {
  const text = readText(file, manifestLimitBytes);
  const known = cache?.get(file, text);
  if (known !== undefined) return { file, format: "yaml", value: known, locate: () => wholeFile };
  const source = await parseYaml(file, text);
  cache?.set(file, text, source.value);
  return source;
}

function unreadable(file: string, { message, position, hint }: SourceError): ConfigProblem {
  return { severity: "error", file, ...position, path: "", message, hint, entry: undefined };
}

function finish(manifest: Manifest, problems: readonly ConfigProblem[]): LoadedManifest {
  const errors = problems.filter(({ severity }) => severity === "error");
  const warnings = problems.filter(({ severity }) => severity === "warning").map(describeProblem);
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more, see "bulkhead config check")` : "";
  const failure = errors[0] && `${describeProblem(errors[0])}${more}`;
  return { manifest: { ...manifest, warnings }, problems, failure };
}

function fallbackName(folder: string): string {
  return (
    basename(folder)
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, "-")
      .replace(/^[^a-z]+/, "")
      .slice(0, 32) || "unnamed"
  );
}

function readManifest(source: Source, problems: ProblemList, unnamed: Manifest, hostVersion: string): Manifest {
  const fields = Fields.of(source.value, [], problems);
  readFormat(fields, hostVersion);
  const { tier, offered } = readTier(fields, hostVersion);
  const name = required(fields, "name", patterns.packageName, expectations.packageName) ?? unnamed.name;
  const base: Manifest = { ...manifestDefaults(name, tier), folder: unnamed.folder, shipped: unnamed.shipped };
  const manifest: Manifest = {
    ...base,
    version: required(fields, "version", patterns.version, expectations.version) ?? base.version,
    ...readProgram(fields, offered ? tier : undefined),
    plugins: readPlugins(fields),
    methods: readMethods(fields),
    singleton: fields.boolean("singleton") ?? base.singleton,
    restart: overlay(base.restart, readRestart(fields)),
    readiness: overlay(base.readiness, readReadiness(fields)),
    watchdog: overlay(base.watchdog, readWatchdog(fields)),
    parking: overlay(base.parking, readParking(fields)),
    stop: overlay(base.stop, readStop(fields)),
    limits: overlay(base.limits, readLimits(fields)),
    user: readUser(fields),
    groups: readGroups(fields) ?? base.groups,
    noNewPrivileges: fields.boolean("noNewPrivileges") ?? base.noNewPrivileges,
    env: readEnvironment(fields) ?? base.env,
    inheritEnv: fields.boolean("inheritEnv") ?? base.inheritEnv,
    data: readData(fields),
    listen:
      fields.list("listen", (item, path) => {
        if (item === "ttrpc") return "ttrpc";
        problems.error(path, "expected ttrpc, the only listener that is passed on");
        return undefined;
      }) ?? base.listen,
    redirects: fields.strings("redirects", patterns.packageName, expectations.packageName) ?? base.redirects,
  };
  const { minMs, maxMs } = manifest.restart;
  if (maxMs < minMs) problems.error(["restart", "max"], "expected at least what min says");
  readActivation(fields, hostVersion);
  refuseForTasks(fields, name);
  fields.finish(/^x-/);
  return manifest;
}

/** `manifest: 1` and what the package needs of the host. */
function readFormat(fields: Fields, hostVersion: string): void {
  const format = fields.raw("manifest");
  if (format === undefined) fields.error("manifest", "manifest is missing", 'the file must say "manifest: 1"');
  else if (typeof format === "number" && format > 1)
    fields.error("manifest", `manifest ${format}: ${notOffered(hostVersion)}`);
  else if (format !== 1) fields.error("manifest", "expected 1");
  const needs = fields.section("needs");
  const text = needs.string("bulkhead");
  const range = text === undefined ? undefined : parseRange(text);
  const version = parseVersion(hostVersion);
  if (text !== undefined && range === undefined)
    needs.error("bulkhead", `expected a range like ">=0.3", got "${text}"`);
  if (range !== undefined && version !== undefined && !range(version))
    needs.error("bulkhead", `needs bulkhead ${text}, this is ${hostVersion}`);
  needs.finish();
}

function notOffered(hostVersion: string): string {
  return `not offered by bulkhead ${hostVersion}`;
}

function readTier(fields: Fields, hostVersion: string): { readonly tier: Tier; readonly offered: boolean } {
  fields.ignore("goPlugin", "stateful");
  const fallback = fields.has("main") ? "bulkhead/1" : "proxy";
  const protocol = fields.string("protocol") ?? fallback;
  if (fields.has("address")) {
    if (fields.has("protocol"))
      fields.error("protocol", "an external package has none", "leave out address or protocol");
    return { tier: "external", offered: true };
  }
  switch (protocol) {
    case "proxy":
      return { tier: "proxy", offered: true };
    case "bulkhead/1":
      return { tier: "native", offered: true };
    default:
      fields.error("protocol", `protocol ${protocol}: ${notOffered(hostVersion)}`, "it offers proxy and bulkhead/1");
      return { tier: protocol === "go-plugin" ? "go-plugin" : "proxy", offered: false };
  }
}

function readActivation(fields: Fields, hostVersion: string): void {
  const activation = fields.oneOf("activation", ["eager", "lazy"]);
  if (activation === "lazy") fields.error("activation", `lazy activation: ${notOffered(hostVersion)}`, "leave it out");
  fields.duration("idleStop", 1);
}

/** What runs: one of `command`, `main` and `address`. `tier` undefined: one that is not offered. */
function readProgram(fields: Fields, tier: Tier | undefined): Pick<Manifest, "command" | "main" | "address"> {
  const command = fields.strings("command");
  const main = fields.string("main", patterns.relativePath, expectations.relativePath);
  const address = fields.string("address");
  const named = ["command", "main", "address"].filter((key) => fields.has(key));
  if (named.length === 0)
    fields.error("command", "the manifest names no program", "give one of command, main and address");
  if (named.length > 1)
    fields.error(named[1] ?? "main", `${named.join(" and ")} exclude one another`, "keep one of them");
  if (fields.has("command") && (command?.length === 0 || command?.[0] === ""))
    fields.error("command", "expected a program and its arguments", 'a list like [bin/acme, "--listen", "${socket}"]');
  if (main !== undefined && tier === "proxy")
    fields.error("protocol", "main is run by plugin-host, which speaks bulkhead/1", "leave out protocol");
  if (address !== undefined && !isAbsolute(address))
    fields.error("address", "expected the absolute path of a unix socket");
  return { command, main, address };
}
