import { spawn } from "node:child_process";
import { once } from "node:events";
import { containerdProgram } from "./peers.ts";

export interface CtrResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CtrOptions {
  readonly stdin?: string | Uint8Array;
  /** The input ends only when the command has printed all of these; default: at once. */
  readonly until?: readonly string[];
  readonly namespace?: string;
  readonly ms?: number;
  readonly cwd?: string;
}

const defaultMs = 30_000;

/** Runs the stock `ctr` against a socket. It ignores gentler signals at times, so the deadline is a SIGKILL. */
export async function ctr(address: string, args: readonly string[], options: CtrOptions = {}): Promise<CtrResult> {
  const namespace = options.namespace === undefined ? [] : ["--namespace", options.namespace];
  const child = spawn(containerdProgram("ctr"), ["--address", address, ...namespace, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    timeout: options.ms ?? defaultMs,
    killSignal: "SIGKILL",
    env: { PATH: process.env["PATH"], HOME: "/nonexistent" },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
  // A command that fails early closes its input; that is its answer, not an error of ours.
  child.stdin.on("error", () => undefined);
  const { stdin = "", until = [] } = options;
  child.stdin.write(stdin);
  const endInput = (): void => {
    const shown = text([...stdout, ...stderr]);
    if (until.every((each) => shown.includes(each))) child.stdin.end();
  };
  child.stdout.on("data", endInput);
  child.stderr.on("data", endInput);
  endInput();
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (signal === "SIGKILL") throw new Error(`ctr ${args.join(" ")} did not end in time: ${text(stderr)}`);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function text(parts: readonly Buffer[]): string {
  return Buffer.concat(parts).toString("utf8");
}
