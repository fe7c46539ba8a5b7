import { globalFlags } from "./globals.ts";

/**
 * Help of `bulkhead daemon`. It stands here alone: the launcher starts the holder for this command, which prints
 * it without loading the command line.
 */
export function daemonHelp(): string {
  const width = Math.max(...globalFlags.map(([flag]) => flag.length));
  const flags = globalFlags.map(([flag, meaning]) => `  ${flag.padEnd(width)}  ${meaning}`);
  return `Usage: bulkhead [flags] daemon [flags]

Runs the daemon in the foreground until SIGTERM or SIGINT. Flags win over the config file.

Flags:
${flags.join("\n")}
  ${"-h, --help".padEnd(width)}  show this text

Exit status: 0 stopped, 1 failure, 78 the config is wrong.

Examples:
  bulkhead daemon
  bulkhead --root /srv/bulkhead --state /run/bulkhead daemon
  bulkhead daemon --config ./config.yaml --log-level debug
`;
}
