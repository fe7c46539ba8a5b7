import { runCommandLine } from "./cli/program.ts";

/** Entry of the `bulkhead` command. (`daemon` normally never comes here: the launcher starts the holder for it.) */
process.exitCode = await runCommandLine(process.argv.slice(2));
