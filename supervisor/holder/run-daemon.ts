import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/problem.ts";
import { serializeConfig } from "../config/serialization.ts";
import type { Entries } from "./entries.ts";
import { type DaemonRequest, parseFlags } from "./flags.ts";
import { openHolder } from "./holder.ts";
import { printError } from "../print-error.ts";
import { HolderLog } from "./holder-log.ts";
import type { Signals } from "./signals.ts";
import { StartFailure } from "./start-failure.ts";
import { withInheritedAddresses } from "./systemd.ts";

/** sysexits.h EX_CONFIG. */
const configExitCode = 78;
/** Children inherit it; package folders set their own modes. */
const umask = 0o022;

export interface DaemonCall {
  /** Command line without node and script. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly entries: Entries;
  readonly signals: Signals;
}

/** `bulkhead daemon` from its command line to its exit code. What goes wrong at the start is said on stderr. */
export async function runDaemon(call: DaemonCall): Promise<number> {
  try {
    const request = parseFlags(call.args);
    if (request.kind === "run") return await run(request, call);
    await showText(request.kind);
    return 0;
  } catch (error) {
    return reportFailure(error);
  }
}

async function run({ flags }: Extract<DaemonRequest, { kind: "run" }>, call: DaemonCall): Promise<number> {
  const { env, entries, signals } = call;
  process.umask(umask);
  const { config: file, ...overrides } = flags;
  const read = await loadConfig({ file, overrides, privileged: process.geteuid?.() === 0, env });
  const config = withInheritedAddresses(read, env, process.pid);
  if (signals.stopRequested) return 0;
  const holder = await openHolder({
    config,
    serializedConfig: serializeConfig(config),
    env,
    entries,
    log: openLog(config),
    bootStartedAtMs: performance.timeOrigin,
  });
  return holder.run(signals);
}

function openLog({ debug }: Config): HolderLog {
  return new HolderLog(debug.format, debug.level);
}

async function showText(kind: "help" | "version"): Promise<void> {
  const { daemonHelp } = await import("../cli/daemon-help.ts");
  const { hostVersion, readRevision } = await import("../version.ts");
  process.stdout.write(kind === "help" ? daemonHelp() : `${`bulkhead ${hostVersion} ${readRevision()}`.trim()}\n`);
}

/** Prints what is wrong, one line a problem, and gives the exit code. */
function reportFailure(error: unknown): number {
  if (error instanceof ConfigError) {
    for (const line of error.message.split("\n")) printError(`bulkhead: ${line}`);
    return configExitCode;
  }
  if (error instanceof StartFailure) {
    printError(`bulkhead: ${error.message}`);
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  printError(`bulkhead: unexpected failure, please report it: ${text}`);
  return 1;
}
