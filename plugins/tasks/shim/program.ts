import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { HostError } from "bulkhead/plugin";
import { onceReady, openPid, reapChild, socketpair, spawnProcess } from "#linux";

/** Bytes of output that are kept; what a program says beyond is read and dropped. */
const outputLimitBytes = 1024 * 1024;
/** How long output may go on after the program has ended, milliseconds: a child of its may hold it open. */
const lingerMs = 1000;

export interface ProgramRequest {
  /** Absolute path. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** Whether output and errors are one text, as Go's CombinedOutput. */
  readonly combined: boolean;
  /** Milliseconds after which it is killed. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ProgramResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** 0 to 255; undefined: killed. */
  readonly code: number | undefined;
  /** Number of the signal that killed it. */
  readonly signal: number | undefined;
}

/**
 * Runs a program in a session of its own and waits for its end; what it started and left behind goes on. Owns: the
 * process until then. Throws unknown when it cannot be started, deadline-exceeded, and the signal's reason; then the
 * whole session is killed.
 */
export async function runProgram(request: ProgramRequest): Promise<ProgramResult> {
  const { file, args, env, cwd, stdin, combined, timeoutMs, signal } = request;
  signal?.throwIfAborted();
  const input = stdin.length === 0 ? undefined : new Pipe();
  const output = new Pipe();
  const errors = combined ? output : new Pipe();
  const pipes = new Set([output, errors, ...(input === undefined ? [] : [input])]);
  let pid: number;
  let pidfd: number;
  try {
    pid = spawnProcess({
      file,
      args: [file, ...args],
      env,
      cwd,
      descriptors: [input?.theirs ?? "null", output.theirs, errors.theirs],
    });
    pidfd = openPid(pid);
  } catch (cause) {
    for (const pipe of pipes) pipe[Symbol.dispose]();
    throw new HostError("unknown", `fork/exec ${file}: ${(cause as Error).message}`, { cause });
  } finally {
    for (const pipe of pipes) pipe.closeTheirs();
  }
  input?.send(stdin);
  const ended = new Promise<void>((resolve) => onceReady(pidfd, "readable", resolve));
  try {
    const outputs = [...new Set([output, errors])].map((pipe) => pipe.collect());
    const failure = await firstOf(ended, timeoutMs, signal);
    // Not reaped yet, so the number is still this session's.
    if (failure !== undefined) process.kill(-pid, "SIGKILL");
    await ended;
    const exit = reapChild(pid);
    if (failure !== undefined) throw failure;
    await firstOf(Promise.all(outputs), lingerMs);
    return { stdout: output.received, stderr: errors.received, code: exit?.code, signal: exit?.signal };
  } finally {
    closeSync(pidfd);
    for (const pipe of pipes) pipe[Symbol.dispose]();
  }
}

/** Waits for `event`; gives why it did not come in time. */
async function firstOf(event: Promise<unknown>, timeoutMs: number, signal?: AbortSignal): Promise<Error | undefined> {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  const onAbort = (): void => resolve(signal?.reason as Error);
  const late = new HostError("deadline-exceeded", "context deadline exceeded");
  const timer = setTimeout(() => resolve(late), timeoutMs);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, event.then(() => undefined)]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Both ends of a socketpair that stands in for a pipe: it can be filled and closed without a thread. Owns: both. */
class Pipe {
  readonly theirs: number;
  readonly #ours: Socket;
  #theirsOpen = true;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor() {
    const [ours, theirs] = socketpair("stream");
    this.theirs = theirs;
    this.#ours = new Socket({ fd: ours });
    // Who ends early does not read its input; its exit tells why.
    this.#ours.on("error", () => {});
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  closeTheirs(): void {
    if (this.#theirsOpen) closeSync(this.theirs);
    this.#theirsOpen = false;
  }

  send(bytes: Uint8Array): void {
    this.#ours.end(bytes);
  }

  /** Resolves when everybody has closed the other end. */
  collect(): Promise<void> {
    return new Promise((resolve) => {
      this.#ours.on("data", (chunk: Buffer) => {
        const kept = chunk.subarray(0, outputLimitBytes - this.#bytes);
        this.#bytes += kept.length;
        this.#chunks.push(kept);
      });
      this.#ours.once("close", () => resolve());
    });
  }

  [Symbol.dispose](): void {
    this.closeTheirs();
    this.#ours.destroy();
  }
}
