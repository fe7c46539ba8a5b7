import { inspectConfig, inspectionDocument } from "../config/inspect.ts";
import type { JsonObject } from "../config/config.ts";
import { ConfigError, isFatal } from "../config/problem.ts";
import { hostVersion } from "../version.ts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import type { GlobalFlags } from "./globals.ts";
import { print, printJson } from "./terminal.ts";

/** `bulkhead config default`: what counts with no file and no flags. */
export async function printDefaults(options: { readonly json?: true }): Promise<void> {
  const inspection = await inspectConfig({ ...host(), file: false }, hostVersion);
  await printDocument(inspectionDocument(inspection), options);
}

/** `bulkhead config dump`. Throws CommandFailure (78) when the config cannot be used. */
export async function dumpConfig(globals: GlobalFlags, options: { readonly json?: true }): Promise<void> {
  const inspection = await inspectConfig(loadOptions(globals), hostVersion);
  if (inspection.problems.some(isFatal)) {
    throw new CommandFailure(new ConfigError(inspection.problems).message, exitCodes.config);
  }
  await printDocument(inspectionDocument(inspection), options);
}

/** How the daemon would read its config with these flags. */
export function loadOptions({ config, address, root, state, logLevel }: GlobalFlags) {
  return { ...host(), file: config, overrides: { address, root, state, logLevel } };
}

function host() {
  return { privileged: process.geteuid?.() === 0, env: process.env };
}

async function printDocument(document: JsonObject, { json }: { readonly json?: true }): Promise<void> {
  if (json) return printJson(document);
  const {
    default: { stringify },
  } = await import("yaml");
  return print(stringify(document, { lineWidth: 0 }));
}
