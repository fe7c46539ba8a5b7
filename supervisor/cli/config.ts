import type { Command } from "commander";
import type { GlobalFlags } from "./globals.ts";

/** Declares `bulkhead config`. What its commands do is loaded when one runs. */
export function registerConfigCommand(program: Command): void {
  const config = program.command("config").description("the daemon's config: what counts, and what is wrong with it");
  config
    .command("default")
    .description("print the defaults, as a config file")
    .option("--json", "for programs")
    .addHelpText("after", "\nExamples:\n  bulkhead config default >/etc/bulkhead/config.yaml\n")
    .action(async (options: { json?: true }) => (await import("./config-dump.ts")).printDefaults(options));
  config
    .command("dump")
    .description("print what counts: defaults, file, imports and flags merged, secrets hidden")
    .option("--json", "for programs")
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead config dump\n  bulkhead -c ./config.yaml config dump --json | jq .grpc\n",
    )
    .action(async (options: { json?: true }, command: Command) =>
      (await import("./config-dump.ts")).dumpConfig(command.optsWithGlobals<GlobalFlags>(), options),
    );
  config
    .command("check")
    .description("name every error in config, manifests and plugins' config; exit status 78 if there is one")
    .option("--strict", "warnings are errors, too")
    .option("--json", "an array for programs")
    .addHelpText("after", "\nExamples:\n  bulkhead config check\n  bulkhead -c ./config.yaml config check --strict\n")
    .action(async (options: { json?: true; strict?: true }, command: Command) =>
      (await import("./config-check.ts")).checkConfig(command.optsWithGlobals<GlobalFlags>(), options),
    );
}
