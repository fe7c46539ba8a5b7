import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { within } from "./deadline.ts";
import { LineWatch } from "./line-watch.ts";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** A long-running program under test. Owns: the process; disposing kills it. */
export class Child implements AsyncDisposable {
  readonly output: LineWatch;
  readonly exited: Promise<Exit>;
  /** Fulfilled when the process has ended, though what it started may still have its output open. */
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;

  constructor(command: string, args: readonly string[], options: ChildOptions = {}) {
    this.#process = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    const { stdout, stderr } = this.#process;
    if (stdout === null || stderr === null) throw new Error(`${command}: no pipes`);
    this.output = new LineWatch(stdout, stderr);
    this.ended = new Promise((resolve) => this.#process.once("exit", () => resolve()));
    // `close` and not `exit`: the output is complete by then.
    this.exited = once(this.#process, "close").then(
      ([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }),
      (error: unknown) => {
        throw new Error(`${command} could not be started`, { cause: error });
      },
    );
    this.exited.catch(() => undefined);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits for the end, with the output in the error when it does not come. */
  async waitForExit(ms?: number): Promise<Exit> {
    try {
      return await within("the process ends", this.exited, ms);
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\noutput so far:\n${this.output.text}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) this.#process.kill("SIGKILL");
    await this.exited.catch(() => undefined);
  }
}
