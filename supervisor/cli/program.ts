import { Command, CommanderError } from "commander";
import { declareCommands } from "./commands.ts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { globalFlags } from "./globals.ts";
import { hostVersion } from "../version.ts";

/** Runs one command line (without node and script); gives the exit status. Never throws. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  // `bulkhead plugins ls | head -1` closes our output early, which is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.ok);
    throw error;
  });
  try {
    await buildProgram().parseAsync(args, { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    return reportFailure(error);
  }
}

function buildProgram(): Command {
  const program = new Command("bulkhead")
    .description("A host daemon whose subsystems are crash-isolated processes, wire-compatible with containerd.")
    .version(`bulkhead ${hostVersion}`, "-v, --version")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showHelpAfterError("(see bulkhead --help)");
  for (const [flags, meaning] of globalFlags) program.option(flags, meaning);
  declareCommands(program);
  program.addHelpText(
    "after",
    `
Examples:
  bulkhead daemon                      run it
  bulkhead plugins ls                  what runs, and why not
  bulkhead logs -f metadata            what a package writes
  ctr --address SOCKET version         containerd's client works as it is

The daemon is found by --address and --state, then BULKHEAD_ADDRESS, then the config file.
Exit status: 0 ok, 1 failure, 2 wrong usage, 78 wrong config.`,
  );
  return program;
}

/** Commander has printed its own errors already. */
function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`bulkhead: ${message}\n`);
  return error instanceof CommandFailure ? error.exitCode : exitCodes.failure;
}
