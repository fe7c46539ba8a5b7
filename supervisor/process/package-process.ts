import { spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { HostError } from "#proto/wire/errors.ts";
import type { Exit } from "../lifecycle/states.ts";
import type { InstanceProcess } from "./instance-process.ts";
import { identifyProcess, type ProcessIdentity } from "./process-identity.ts";
import type { OutputLog } from "./output-log.ts";

/** Descriptors of a package process beyond 0, 1 and 2. */
export const readyFd = 3;
export const ttrpcFd = 4;
/** Bytes before the newline that a readiness line may have. */
const readinessLimitBytes = 4096;

export interface SpawnRequest {
  /** First word absolute. */
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly output: OutputLog;
  /** Whether it says by descriptor that it is ready; others are not given one. */
  readonly readyByFd: boolean;
  /** The ttrpc listener, for the package that asks for it. */
  readonly ttrpcListenerFd: number | undefined;
  readonly kill: "group" | "process";
}

/** One child and what it does. Owns: the process, its group, its readiness pipe, its output log. */
export class PackageProcess implements InstanceProcess {
  readonly identity: ProcessIdentity;
  readonly ready: Promise<void>;
  readonly exited: Promise<Exit>;
  readonly output: OutputLog;
  readonly #kill: "group" | "process";
  #ended = false;

  private constructor(
    identity: ProcessIdentity,
    ready: Promise<void>,
    ended: Promise<Omit<Exit, "lastLine">>,
    request: SpawnRequest,
  ) {
    this.identity = identity;
    this.ready = ready;
    this.output = request.output;
    this.#kill = request.kill;
    this.exited = ended.then((exit) => {
      this.#ended = true;
      if (this.#kill === "group") this.#signalGroup("SIGKILL"); // grandchildren that stayed behind
      this.output.close();
      return { ...exit, lastLine: this.output.lastLines().findLast((line) => line.trim() !== "") ?? "" };
    });
  }

  /** Starts it in a session of its own. Throws unavailable when the system cannot start it. */
  static start(request: SpawnRequest): PackageProcess {
    const { command, cwd, env, output, readyByFd, ttrpcListenerFd } = request;
    const [file, ...args] = command;
    if (file === undefined) throw new HostError("invalid-argument", "the command is empty");
    // Not execa: its 200 files cost 40 ms on the way to the first started package, and it takes no descriptors.
    const child = spawn(file, args, {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", output.appendFd, output.appendFd, readyByFd ? "pipe" : "ignore", ttrpcListenerFd ?? "ignore"],
    });
    output.handOver();
    const ended = new Promise<Omit<Exit, "lastLine">>((resolve) => {
      child.once("exit", (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
    });
    const { pid } = child;
    if (pid === undefined) {
      child.once("error", () => {}); // the error below says it
      output.close();
      throw new HostError("unavailable", `start ${file}: the system could not start it`);
    }
    // One that has ended already has no start time; its exit is on the way.
    const identity = identifyProcess(pid) ?? { pid, startTime: "", bootId: "", exeInode: 0 };
    return new PackageProcess(identity, readinessOf(child.stdio[readyFd] as Duplex | null), ended, request);
  }

  get pid(): number {
    return this.identity.pid;
  }

  terminate(): void {
    if (!this.#ended) this.#signal("SIGTERM");
  }

  kill(): void {
    if (this.#ended) return;
    if (this.#kill === "group") this.#signalGroup("SIGKILL");
    else this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(this.pid, signal);
    } catch {
      // gone already
    }
  }

  #signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // the group is empty
    }
  }
}

/** Never resolves for a process without a pipe. */
function readinessOf(pipe: Duplex | null): Promise<void> {
  return new Promise((resolve) => {
    if (pipe === null) return;
    let seen = 0;
    pipe.on("error", () => {});
    pipe.on("data", (chunk: Buffer) => {
      seen += chunk.length;
      const found = chunk.includes(10);
      if (found) resolve();
      if (found || seen > readinessLimitBytes) pipe.destroy();
    });
  });
}
