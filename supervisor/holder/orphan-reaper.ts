import { peekEndedChild, reapChild, setChildSubreaper } from "#linux";
import { type ExitRecords, signalName } from "./exit-records.ts";
import type { HolderLog } from "./holder-log.ts";
import { describeCause } from "./start-failure.ts";
import { readProcStat } from "./proc-stat.ts";

/**
 * Reaps descendants whose parents are gone (the holder is their subreaper, or PID 1) and records how they ended. It
 * looks before it reaps: children that Node started are left to Node. Owns: the SIGCHLD handler.
 */
export class OrphanReaper implements Disposable {
  readonly #records: ExitRecords;
  readonly #isOwn: (pid: number) => boolean;
  readonly #log: HolderLog;
  readonly #onSignal = (): void => this.sweep();

  /** `isOwn` says which pids Node reaps. */
  constructor(records: ExitRecords, isOwn: (pid: number) => boolean, log: HolderLog) {
    this.#records = records;
    this.#isOwn = isOwn;
    this.#log = log;
    setChildSubreaper(true);
    process.on("SIGCHLD", this.#onSignal);
  }

  /** Reaps what has ended. To be called too when Node has reaped one of its own, which may have stood in the way. */
  sweep(): void {
    for (let ended = peekEndedChild(); ended !== undefined; ended = peekEndedChild()) {
      if (this.#isOwn(ended.pid)) return;
      // A zombie keeps its start time until it is reaped.
      const startTime = readProcStat(ended.pid)?.startTime ?? "0";
      reapChild(ended.pid);
      const signal = ended.signal === undefined ? undefined : signalName(ended.signal);
      this.#log.debug("orphan reaped", { pid: ended.pid, code: ended.code, signal });
      this.#record({ pid: ended.pid, startTime, code: ended.code, signal });
    }
  }

  [Symbol.dispose](): void {
    process.off("SIGCHLD", this.#onSignal);
  }

  #record(record: Parameters<ExitRecords["append"]>[0]): void {
    try {
      this.#records.append(record);
    } catch (error) {
      this.#log.warn("cannot record how an orphan ended", { pid: record.pid, error: describeCause(error) });
    }
  }
}
