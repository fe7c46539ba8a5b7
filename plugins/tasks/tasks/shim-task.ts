import type { ProcessExit } from "../process-exit.ts";
import type { TaskShim } from "../shim/task-shim.ts";

/** What a shim is connected for. */
export interface TaskName {
  readonly namespace: string;
  readonly id: string;
}

/** Starts that were under way when an earlier generation ended. */
interface CutOffStarts {
  /** What the first process was before. */
  readonly first?: string | undefined;
  readonly execs: readonly string[];
}

/** A task and the shim that runs it. */
export class ShimTask {
  readonly namespace: string;
  /** The container's, too. */
  readonly id: string;
  readonly shim: TaskShim;
  /** Of its first process; 0: none is known. */
  pid = 0;
  /** Its shim said that it has made nothing, so there is nothing to take away. */
  isEmpty = false;
  /** What its first process was before a start that was cut off, or failed; undefined: none was, as far as is known. */
  lookBeforeStart: string | undefined;
  /** Somebody who asked for that start again was told that it runs. */
  isToldRunning = false;
  /** Execs that were asked to start and did not, as far as is known: they must not be asked again. */
  readonly failedStarts = new Set<string>();
  /** Those of them that an earlier generation was about to start when it ended: how they ended nobody knows. */
  readonly cutOffStarts: ReadonlySet<string>;
  readonly #ended = Promise.withResolvers<ProcessExit | undefined>();

  constructor(shim: TaskShim, { first, execs }: CutOffStarts = { execs: [] }) {
    this.lookBeforeStart = first;
    this.cutOffStarts = new Set(execs);
    for (const execId of execs) this.failedStarts.add(execId);
    this.namespace = shim.bundle.namespace;
    this.id = shim.bundle.id;
    this.shim = shim;
  }

  /** Fulfilled when shim and bundle are gone, with how the task ended if its shim was lost. */
  get ended(): Promise<ProcessExit | undefined> {
    return this.#ended.promise;
  }

  /** Its shim and its bundle are gone. */
  end(lost: ProcessExit | undefined): void {
    this.#ended.resolve(lost);
  }
}
