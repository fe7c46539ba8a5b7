import { InvalidArgumentError, type Command } from "commander";
import { registerConfigCommand } from "./config.ts";
import { daemonHelp } from "./daemon-help.ts";
import type { GlobalFlags } from "./globals.ts";

/**
 * Declares every command. What a command does is imported when it runs, so that `bulkhead version`
 * loads neither gRPC nor a parser.
 */
export function declareCommands(program: Command): void {
  declareDaemon(program);
  declareReap(program);
  declarePlugins(program);
  declareLogs(program);
  declareEvents(program);
  declareMetadata(program);
  registerConfigCommand(program);
  program
    .command("version")
    .description("print the version of this command")
    .option("--json", "for programs")
    .addHelpText("after", examples("bulkhead version", "bulkhead version --json"))
    .action(async (options: JsonOption) => (await import("./version.ts")).showVersion(options));
}

interface JsonOption {
  readonly json?: true;
}

function declareDaemon(program: Command): void {
  program
    .command("daemon")
    .description("run the daemon in the foreground")
    .configureHelp({ formatHelp: daemonHelp })
    .action(async () => (await import("./daemon.ts")).startDaemon() as void);
}

function declareReap(program: Command): void {
  program
    .command("reap")
    .description("end what a daemon that died has left, unless one lives or systemd is about to start the next")
    .addHelpText("after", examples("bulkhead reap", "bulkhead --config /etc/bulkhead/config.yaml reap"))
    .action(async (_options: object, command: Command) => (await import("./reap.ts")).reap(globalsOf(command)));
}

function declarePlugins(program: Command): void {
  const plugins = program.command("plugins").description("what runs, in which state and why");
  plugins
    .command("ls")
    .description("list every plugin")
    .option("--json", "an array for programs")
    .addHelpText(
      "after",
      examples("bulkhead plugins ls", "bulkhead plugins ls --json | jq -r '.[] | .id + \" \" + .state'"),
    )
    .action(async (options: JsonOption, command: Command) =>
      (await import("./plugins-ls.ts")).listPlugins(globalsOf(command), options),
    );
  plugins
    .command("show")
    .description("everything known of one package")
    .argument("<name>", "package, or the id or type.id of one of its plugins")
    .option("--json", "for programs")
    .addHelpText(
      "after",
      examples("bulkhead plugins show metadata", "bulkhead plugins show io.containerd.grpc.v1.events"),
    )
    .action(async (name: string, options: JsonOption, command: Command) =>
      (await import("./plugins-show.ts")).showPackage(globalsOf(command), name, options),
    );
  plugins
    .command("restart")
    .description("stop a package's process in order and start the next; returns when it is ready")
    .argument("<name>", "package")
    .option("--json", "for programs")
    .addHelpText("after", examples("bulkhead plugins restart content"))
    .action(async (name: string, options: JsonOption, command: Command) =>
      (await import("./plugins-restart.ts")).restartPackage(globalsOf(command), name, options),
    );
}

function declareLogs(program: Command): void {
  program
    .command("logs")
    .description("print what a package wrote to stdout and stderr")
    .argument("<name>", "package")
    .option("-f, --follow", "go on with what is written from now on")
    .option("-n, --lines <count>", "how many of the last lines first", parseLines, 100)
    .addHelpText("after", examples("bulkhead logs events", "bulkhead logs -f -n 20 metadata"))
    .action(async (name: string, options: { lines: number; follow?: true }, command: Command) =>
      (await import("./logs.ts")).showLogs(globalsOf(command), name, options),
    );
}

function declareEvents(program: Command): void {
  program
    .command("events")
    .description("print events as they happen, of every namespace")
    .argument("[filter...]", "containerd filters; one of them must hold")
    .option("--json", "one object a line, for programs")
    .addHelpText(
      "after",
      examples("bulkhead events", "bulkhead events 'topic~=^/images/' --json", "bulkhead events namespace==default"),
    )
    .action(async (filters: string[], options: JsonOption, command: Command) =>
      (await import("./events.ts")).followEvents(globalsOf(command), filters, options),
    );
  program
    .command("publish")
    .description("publish the event on stdin (a serialized google.protobuf.Any); shims call this")
    .requiredOption("--topic <topic>", "topic, like /tasks/exit")
    .requiredOption("--namespace <namespace>", "containerd namespace")
    .addHelpText(
      "after",
      examples(
        "bulkhead --address /run/bulkhead/bulkhead.sock publish --topic /acme/done --namespace default <any.bin",
      ),
    )
    .action(async (options: { topic: string; namespace: string }, command: Command) =>
      (await import("./publish.ts")).publishEvent(globalsOf(command), options),
    );
}

function declareMetadata(program: Command): void {
  program
    .command("metadata")
    .description("the metadata database")
    .command("backup")
    .description("copy the database, as of one moment, to a new file that the daemon writes")
    .argument("<file>", "must not exist yet")
    .option("--json", "for programs")
    .addHelpText("after", examples("bulkhead metadata backup /var/backups/bulkhead-metadata.mdb"))
    .action(async (file: string, options: JsonOption, command: Command) =>
      (await import("./metadata-backup.ts")).backupMetadata(globalsOf(command), file, options),
    );
}

/** Global flags wherever they stood on the command line. */
function globalsOf(command: Command): GlobalFlags {
  return command.optsWithGlobals<GlobalFlags>();
}

function parseLines(text: string): number {
  const lines = Number(text);
  if (Number.isInteger(lines) && lines > 0 && lines <= 1_000_000) return lines;
  throw new InvalidArgumentError("Give a whole number from 1 to 1000000.");
}

/** The end of a command's help. */
function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}
