import { watch } from "node:fs";
import type { ExitRecord, ExitRecords } from "../holder/exit-records.ts";
import type { Exit } from "../lifecycle/states.ts";
import type { InstanceProcess } from "./instance-process.ts";
import type { OutputLog } from "./output-log.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { linuxProcesses, type ProcessTable } from "./process-table.ts";

/** How long the holder may take to reap an ended process and to write down how it ended. */
const statusWithinMs = 500;

export interface AdoptionRequest {
  readonly identity: ProcessIdentity;
  /** Means the proved process; taken over. */
  readonly pidfd: number;
  readonly output: Pick<OutputLog, "lastLines" | "close">;
  readonly kill: "group" | "process";
  /** Folder of `exits`, and what reads it. */
  readonly state: string;
  readonly exits: Pick<ExitRecords, "find">;
  readonly processes?: ProcessTable;
}

/**
 * A process that an earlier control started. It is no child of ours: its end is seen through its pidfd, its status
 * comes from the holder, who reaps it, else it is unknown. Owns: the process, the pidfd, the output log.
 */
export class AdoptedProcess implements InstanceProcess {
  readonly identity: ProcessIdentity;
  readonly output: AdoptionRequest["output"];
  /** It had been ready before. */
  readonly ready = Promise.resolve();
  readonly exited: Promise<Exit>;
  readonly #request: AdoptionRequest;
  readonly #processes: ProcessTable;
  #ended = false;

  constructor(request: AdoptionRequest) {
    this.#request = request;
    this.#processes = request.processes ?? linuxProcesses;
    this.identity = request.identity;
    this.output = request.output;
    this.exited = this.#awaitEnd();
  }

  get pid(): number {
    return this.identity.pid;
  }

  terminate(): void {
    this.#signal("SIGTERM");
  }

  /** The rest of its group follows once it has ended. */
  kill(): void {
    this.#signal("SIGKILL");
  }

  async #awaitEnd(): Promise<Exit> {
    const { pidfd, kill } = this.#request;
    await new Promise<void>((resolve) => this.#processes.onceEnded(pidfd, resolve));
    const endedAtTicks = this.#processes.nowInTicks();
    this.#ended = true;
    this.#processes.close(pidfd);
    if (kill === "group") this.#processes.killSession(this.pid, endedAtTicks);
    const record = await this.#status();
    this.output.close();
    const lastLine = this.output.lastLines().findLast((line) => line.trim() !== "") ?? "";
    return { code: record?.code, signal: record?.signal, lastLine };
  }

  /** Only an orphan that the holder took in is reaped by it. */
  async #status(): Promise<ExitRecord | undefined> {
    const { identity, exits, state } = this.#request;
    const find = () => exits.find(identity.pid, identity.startTime);
    const parent = this.#processes.parentOf(identity.pid);
    const known = find();
    if (known !== undefined || (parent !== undefined && parent !== process.ppid)) return known;
    return new Promise((resolve) => {
      const finish = (record: ExitRecord | undefined): void => {
        clearTimeout(timer);
        watcher.close();
        resolve(record);
      };
      const look = (): void => {
        const record = find();
        if (record !== undefined) finish(record);
      };
      const timer = setTimeout(() => finish(undefined), statusWithinMs);
      const watcher = watch(state, { persistent: false }, look);
      watcher.on("error", () => finish(undefined));
      look();
    });
  }

  #signal(signal: NodeJS.Signals): void {
    // Of one that has ended already its pidfd is about to tell.
    if (!this.#ended) this.#processes.signal(this.#request.pidfd, signal);
  }
}
