import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { HostError } from "#proto/wire/errors.ts";
import type { ProcessorStep } from "./chain.ts";

type Program = Extract<ProcessorStep, { kind: "program" }>;

/** Of what a program says on stderr; the rest is passed over. */
const errorLimitBytes = 16 * 1024;

/**
 * What a stream processor makes of a source: the blob on its stdin, the result on its stdout (diff/stream_unix.go).
 * Throws unknown with its stderr when it fails. Owns: the process, which is ended with the iteration.
 */
export async function* throughProgram(
  source: AsyncIterable<Buffer>,
  program: Program,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const { path, args, payload } = program;
  const child = spawn(path, args, {
    env: { ...process.env, ...environmentOf(program) },
    stdio: ["pipe", "pipe", "pipe", ...(payload === undefined ? [] : (["pipe"] as const))],
  });
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  closed.catch(() => {}); // not started: heard below
  const stop = (): void => {
    child.kill("SIGKILL");
    // What it has started itself may hold the other ends for as long as it likes.
    for (const pipe of child.stdio) pipe?.destroy();
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const said = readErrors(child);
    sendPayload(child, payload);
    // A program may stop reading before the end; that is its business.
    const fed = pipeline(Readable.from(source, { objectMode: false }), child.stdin as Writable).catch(ignoreClosed);
    fed.catch(() => {}); // heard below, unless the receiver ends the iteration
    said.catch(() => {});
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    const [code, killedBy] = await closed;
    await fed;
    if (code !== 0) throw failed(path, await said, killedBy ?? `exit status ${code}`);
  } catch (error) {
    throw notStarted(error, path) ?? error;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    await closed.catch(() => {});
  }
}

function environmentOf({ env, mediaType }: Program): Record<string, string> {
  const pairs = env.map((each): [string, string] => {
    const equals = each.indexOf("=");
    return equals < 0 ? [each, ""] : [each.slice(0, equals), each.slice(equals + 1)];
  });
  return { ...Object.fromEntries(pairs), STREAM_PROCESSOR_MEDIATYPE: mediaType };
}

function sendPayload(child: ChildProcess, payload: Uint8Array | undefined): void {
  const pipe = child.stdio[3];
  if (payload === undefined || !(pipe instanceof Writable)) return;
  pipe.on("error", () => {}); // it may not want it
  pipe.end(payload);
}

async function readErrors(child: ChildProcess): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of child.stderr as AsyncIterable<Buffer>) {
    if (bytes < errorLimitBytes) parts.push(part.subarray(0, errorLimitBytes - bytes));
    bytes += part.length;
  }
  return Buffer.concat(parts).toString();
}

function ignoreClosed(error: unknown): void {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (!["EPIPE", "ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED", "ECONNRESET"].includes(code)) throw error;
}

function failed(path: string, said: string, how: string): HostError {
  return new HostError("unknown", said === "" ? `stream processor ${path}: ${how}` : said);
}

function notStarted(error: unknown, path: string): HostError | undefined {
  const { code, syscall = "" } = error as NodeJS.ErrnoException;
  if (!syscall.startsWith("spawn")) return undefined;
  const why = code === "ENOENT" && !path.includes("/") ? "executable file not found in $PATH" : `${code}`;
  return new HostError("unknown", `exec: "${path}": ${why}`, { cause: error });
}
