import { closeSync } from "node:fs";
import { onceReady, openPid, reapChild, socketpair, spawnProcess } from "#linux";
import { HostError } from "#proto/wire/errors.ts";
import { signalName } from "../holder/exit-records.ts";
import type { Exit } from "../lifecycle/states.ts";
import type { InstanceProcess } from "./instance-process.ts";
import { identifyProcess, type ProcessIdentity } from "./process-identity.ts";
import type { OutputLog } from "./output-log.ts";
import { ReadinessLine } from "./readiness-line.ts";

/** Descriptors of a package process beyond 0, 1 and 2. */
export const readyFd = 3;
export const ttrpcFd = 4;

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

/** One child and what it does. Owns: the process, its group, its readiness line, its output log. */
export class PackageProcess implements InstanceProcess {
  readonly identity: ProcessIdentity;
  readonly ready: Promise<void>;
  readonly exited: Promise<Exit>;
  readonly output: OutputLog;
  readonly #kill: "group" | "process";
  #ended = false;

  private constructor(pid: number, pidfd: number, line: ReadinessLine | undefined, request: SpawnRequest) {
    // One that has ended already has no start time; its exit is on the way.
    this.identity = identifyProcess(pid) ?? { pid, startTime: "", bootId: "", exeInode: 0 };
    this.ready = line?.seen ?? new Promise(() => {});
    this.output = request.output;
    this.#kill = request.kill;
    this.exited = endOf(pidfd).then(() => {
      this.#ended = true;
      // Grandchildren that stayed behind; until the process is reaped, its number is no other group's.
      if (this.#kill === "group") this.#signalGroup("SIGKILL");
      const { code, signal } = reapChild(pid) ?? {};
      line?.look();
      line?.[Symbol.dispose]();
      this.output.close();
      const lastLine = this.output.lastLines().findLast((text) => text.trim() !== "") ?? "";
      return { code, signal: signal === undefined ? undefined : signalName(signal), lastLine };
    });
  }

  /** Starts it in a session of its own. Throws unavailable when the system cannot start it. */
  static start(request: SpawnRequest): PackageProcess {
    const { command, cwd, env, output, readyByFd, ttrpcListenerFd } = request;
    const [file] = command;
    if (file === undefined) throw new HostError("invalid-argument", "the command is empty");
    try {
      using ends = readinessEnds(readyByFd);
      const { appendFd } = output;
      const descriptors = ["null", appendFd, appendFd, ends.theirs, ttrpcListenerFd] as const;
      // A process that could not be watched must not be started: room for its pidfd comes first.
      const room = openPid(process.pid);
      let pid: number;
      try {
        pid = spawnProcess({ file, args: command, env, cwd, descriptors });
      } finally {
        closeSync(room);
      }
      const pidfd = openPid(pid);
      output.handOver();
      return new PackageProcess(pid, pidfd, ends.take(), request);
    } catch (cause) {
      output.close();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new HostError("unavailable", `start ${file}: the system could not start it: ${reason}`, { cause });
    }
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

/** Both ends of a readiness line, closed with it, unless ours was taken; none for a process that has no line. */
function readinessEnds(wanted: boolean) {
  const [ours, theirs] = wanted ? socketpair("stream") : [];
  let taken = false;
  return {
    theirs,
    take(): ReadinessLine | undefined {
      taken = true;
      return ours === undefined ? undefined : new ReadinessLine(ours);
    },
    [Symbol.dispose](): void {
      if (theirs !== undefined) closeSync(theirs);
      if (ours !== undefined && !taken) closeSync(ours);
    },
  };
}

/** Resolves when the process of `pidfd`, which is taken over, has ended. */
function endOf(pidfd: number): Promise<void> {
  return new Promise((resolve) => {
    onceReady(pidfd, "readable", () => {
      closeSync(pidfd);
      resolve();
    });
  });
}
