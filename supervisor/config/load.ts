import { resolve } from "node:path";
import { checkConfig } from "./config-check.ts";
import type { Config, LogLevel } from "./config.ts";
import { emptyFile, mergeFiles } from "./config-merge.ts";
import { resolveConfig } from "./config-resolve.ts";
import { defaultPaths } from "./default-paths.ts";
import { ConfigError, type ConfigProblem, describeProblem, isFatal } from "./problem.ts";
import { existsSync } from "node:fs";

export interface LoadOptions {
  /** Config file; undefined: the default one, which need not exist. One that is named must. false: none. */
  readonly file?: string | false | undefined;
  /** Flags; they win where they are not empty. */
  readonly overrides?: ConfigOverrides;
  /** The daemon runs with root privileges; else the XDG folders are the defaults. */
  readonly privileged: boolean;
  readonly env: NodeJS.ProcessEnv;
}

export interface ConfigOverrides {
  readonly address?: string | undefined;
  readonly root?: string | undefined;
  readonly state?: string | undefined;
  readonly logLevel?: string | undefined;
}

/** A config as far as it could be understood, and everything wrong with it. */
export interface ReadConfig {
  readonly config: Config;
  /** By file, in order. */
  readonly problems: readonly ConfigProblem[];
}

/**
 * The daemon's config: defaults, file, imports, flags. Entries that are wrong alone stand in its `entryErrors`.
 * Throws ConfigError, which names every error at once (exit code 78).
 */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  const { config, problems } = await readConfig(options);
  if (problems.some(isFatal)) throw new ConfigError(problems);
  return config;
}

/** The same without throwing, for `config check`. */
export async function readConfig(options: LoadOptions): Promise<ReadConfig> {
  const { file: named, overrides = {}, privileged, env } = options;
  const defaults = defaultPaths({ privileged, env });
  const file = findFile(named, defaults.configFile);
  // Nothing is parsed without a file, so nothing that parses is loaded.
  const { merged, files } = file === undefined ? noFiles : await (await import("./imports.ts")).readFiles(file);
  const fromFlags = flagProblems(overrides);
  const flagged = mergeFiles(merged, flagsAsFile(overrides));
  const isToml = files[0]?.problems.source.format === "toml";
  const resolved = resolveConfig(flagged, { file, version: isToml ? 1 : 2, defaults, privileged, env });
  const checks = checkConfig(resolved.config, files);
  const problems = inFileOrder([...files.flatMap(({ problems: each }) => each.found), ...fromFlags, ...checks]);
  return { problems, config: { ...resolved.config, ...notes(problems, resolved.warnings) } };
}

const noFiles = { merged: emptyFile, files: [] };

function findFile(named: LoadOptions["file"], standard: string): string | undefined {
  if (named === false) return undefined;
  if (named !== undefined && named !== "") return resolve(named);
  return existsSync(standard) ? standard : undefined;
}

function flagsAsFile({ address, root, state, logLevel }: ConfigOverrides): typeof emptyFile {
  const absolute = (path: string | undefined): string | undefined => (path ? resolve(path) : undefined);
  const debugLevel = isLogLevel(logLevel) ? logLevel : undefined;
  const scalars = {
    ...emptyFile.scalars,
    grpcAddress: absolute(address),
    root: absolute(root),
    state: absolute(state),
    debugLevel,
  };
  return { ...emptyFile, scalars };
}

const levels: readonly string[] = ["trace", "debug", "info", "warn", "error", "fatal", "panic"] satisfies LogLevel[];

function isLogLevel(level: string | undefined): level is LogLevel {
  return level !== undefined && levels.includes(level);
}

function flagProblems({ logLevel }: ConfigOverrides): ConfigProblem[] {
  if (!logLevel || isLogLevel(logLevel)) return [];
  const message = `unknown level "${logLevel}": expected one of ${levels.join(", ")}`;
  return [
    { severity: "error", file: "--log-level", line: 0, column: 0, path: "", message, hint: "", entry: undefined },
  ];
}

/** Problems of one file together, top to bottom; the files in the order they were read. */
export function inFileOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const order = [...new Set(problems.map(({ file }) => file))];
  return problems.toSorted((a, b) => order.indexOf(a.file) - order.indexOf(b.file) || a.line - b.line);
}

function notes(
  problems: readonly ConfigProblem[],
  warnings: readonly string[],
): Pick<Config, "entryErrors" | "warnings"> {
  const entryErrors = new Map<string, string>();
  for (const problem of problems)
    if (problem.severity === "error" && problem.entry !== undefined && !entryErrors.has(problem.entry))
      entryErrors.set(problem.entry, describeProblem(problem));
  const odd = problems.filter(({ severity }) => severity === "warning").map(describeProblem);
  return { entryErrors, warnings: [...odd, ...warnings] };
}
