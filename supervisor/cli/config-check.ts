import { inspectConfig, type Inspection } from "../config/inspect.ts";
import { type ConfigProblem, describeProblem } from "../config/problem.ts";
import { buildGraph } from "../graph/build-graph.ts";
import { builtInPlugins, controlPackage, controlRoutes } from "../services/built-in-plugins.ts";
import { hostVersion } from "../version.ts";
import { loadOptions } from "./config-dump.ts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import type { GlobalFlags } from "./globals.ts";
import { paint, print, printJson } from "./terminal.ts";

interface CheckOptions {
  readonly json?: true;
  readonly strict?: true;
}

/**
 * `bulkhead config check`: everything wrong with config, manifests, the plugins' own config and the graph of packages,
 * at once. Throws CommandFailure (78) if there is an error.
 */
export async function checkConfig(globals: GlobalFlags, { json, strict }: CheckOptions): Promise<void> {
  const inspection = await inspectConfig(loadOptions(globals), hostVersion);
  const found = [...inspection.problems, ...graphProblems(inspection)];
  const problems = strict ? found.map((problem) => ({ ...problem, severity: "error" as const })) : found;
  const errors = problems.filter(({ severity }) => severity === "error").length;
  if (json) await printJson(problems.map(({ entry, ...problem }) => ({ ...problem, entry: entry ?? "" })));
  else await print(problems.map(problemLine).join(""));
  const name = inspection.config.file ?? "the defaults";
  if (errors > 0) throw new CommandFailure(`check ${name}: ${count(errors, "error")}`, exitCodes.config);
  if (!json) await print(`${name}: ok${problems.length > 0 ? `, ${count(problems.length, "warning")}` : ""}\n`);
}

function problemLine(problem: ConfigProblem): string {
  const word = problem.severity === "error" ? paint("red", "error") : paint("yellow", "warning");
  return `${word}: ${describeProblem(problem)}\n`;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

/** What would fail a package beyond its own manifest: cycles, routes of others, plugins registered twice. */
function graphProblems({ config, packages }: Inspection): ConfigProblem[] {
  const graph = buildGraph({
    packages,
    builtIn: { name: controlPackage, plugins: builtInPlugins, services: controlRoutes },
    disabled: config.disabledPlugins,
    required: config.requiredPlugins,
    routes: config.routes,
    version: config.version,
  });
  const broken = new Set(packages.flatMap(({ manifest, failure }) => (failure === undefined ? [] : [manifest.name])));
  const failed = graph.plans.filter(
    ({ manifest, initial }) => initial.state === "failed" && !broken.has(manifest.name),
  );
  const place = { line: 0, column: 0, hint: "" };
  return [
    ...failed.map(({ manifest, initial }) => ({
      ...place,
      severity: "error" as const,
      file: manifest.folder,
      path: "",
      message: initial.reason,
      entry: `packages.${manifest.name}`,
    })),
    ...graph.missingRequired.map((message) => ({
      ...place,
      severity: "error" as const,
      file: config.file ?? "",
      path: "required_plugins",
      message,
      entry: undefined,
    })),
    ...graph.warnings.map((message) => ({
      ...place,
      severity: "warning" as const,
      file: "",
      path: "",
      message,
      entry: undefined,
    })),
  ];
}
