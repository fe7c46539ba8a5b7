import { parseArgs } from "node:util";
import type { GlobalFlags } from "../cli/globals.ts";
import { StartFailure } from "./start-failure.ts";

/** What a command line asks for. */
export type DaemonRequest =
  | { readonly kind: "run"; readonly flags: GlobalFlags }
  | { readonly kind: "help" }
  | { readonly kind: "version" };

const options = {
  config: { type: "string", short: "c" },
  address: { type: "string", short: "a" },
  root: { type: "string" },
  state: { type: "string" },
  "log-level": { type: "string", short: "l" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

/** Reads the daemon's command line: containerd's flags, before or after the word `daemon`. Throws StartFailure. */
export function parseFlags(args: readonly string[]): DaemonRequest {
  const { values, positionals } = parse(args);
  if (values.help === true) return { kind: "help" };
  if (values.version === true) return { kind: "version" };
  const extra = positionals[0] === "daemon" ? positionals[1] : positionals[0];
  if (extra !== undefined) throw usage(`unexpected argument "${extra}"`);
  const flags = {
    config: values.config,
    address: values.address,
    root: values.root,
    state: values.state,
    logLevel: values["log-level"],
  };
  // An empty value never overrides the config, as with containerd.
  return { kind: "run", flags: Object.fromEntries(Object.entries(flags).filter(([, value]) => value)) };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    // Node's text has a second sentence about positional arguments, which does not apply.
    throw usage((error as Error).message.split(". ")[0] ?? "");
  }
}

function usage(problem: string): StartFailure {
  return new StartFailure(`${problem}; see bulkhead daemon --help`);
}
