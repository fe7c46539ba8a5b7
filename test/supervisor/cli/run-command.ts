import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Child } from "../../harness/child.ts";
import { within } from "../../harness/deadline.ts";

const entry = join(import.meta.dirname, "../../../supervisor/main.ts");

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly stdin?: Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  /** Words before the command, such as a program that drops privileges. */
  readonly prefix?: readonly string[];
  /** On a terminal of its own (bsdutils' `script`), both outputs together. */
  readonly terminal?: true;
}

/** Runs `bulkhead ARGS` to its end. */
export async function runCommand(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = "", ...words] = commandWords(args, options);
  const child = spawn(program, words, { env: commandEnv(options.env), stdio: "pipe" });
  try {
    child.stdin.on("error", () => undefined); // it may end without reading
    child.stdin.end(options.stdin ?? "");
    const [stdout, stderr, closed] = await within(
      `bulkhead ${args.join(" ")}`,
      Promise.all([readText(child, "stdout"), readText(child, "stderr"), once(child, "close")]),
    );
    return { code: closed[0] as number | null, stdout, stderr };
  } finally {
    child.kill("SIGKILL");
  }
}

/** Starts `bulkhead ARGS`, to be watched while it runs. */
export function startCommand(args: readonly string[]): Child {
  return new Child(process.execPath, [entry, ...args], { env: commandEnv({}) });
}

function commandWords(args: readonly string[], { prefix = [], terminal }: CommandOptions): string[] {
  const words = [...prefix, process.execPath, entry, ...args];
  if (terminal === undefined) return words;
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  return ["script", "--quiet", "--return", "--command", quoted, "/dev/null"];
}

function commandEnv(more: NodeJS.ProcessEnv | undefined): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], HOME: "/nonexistent", ...more };
}

async function readText(child: ChildProcess, stream: "stdout" | "stderr"): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of child[stream] as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
