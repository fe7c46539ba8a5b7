import { setImmediate as nextTurn } from "node:timers/promises";
import type { Log } from "bulkhead/plugin";
import { deviceNames } from "../../shared/cgroups/block-devices.ts";
import { Exposition } from "./exposition.ts";
import { groupFoldersOf, type GroupFolders } from "../../shared/cgroups/group-folders.ts";
import type { Hierarchies } from "../../shared/cgroups/hierarchies.ts";
import type { OomWatches } from "./oom-watches.ts";
import { family, type Reading } from "./reading.ts";
import { v1Readings } from "./v1-readings.ts";
import { v2Readings } from "./v2-readings.ts";

/** A task as events and lists tell of it. */
export interface TaskFacts {
  readonly namespace: string;
  readonly id: string;
  readonly pid: number;
  /** Name of the container's runtime; undefined: not known yet. */
  readonly runtime: string | undefined;
}

interface WatchedTask extends TaskFacts {
  readonly folders: GroupFolders | undefined;
}

/** Tasks watched at a time. */
const tasksLimit = 10_000;
/** Bytes of all samples together: the host takes 4 MiB of one package. */
const textLimitBytes = 3.5 * 1024 * 1024;
/** Containers read in one turn of the event loop. */
const turnContainers = 16;
const runtimeV1 = "io.containerd.runtime.v1.";
const oomCount = family("memory_oom_total", "The number of times a container has received an oom event");

/**
 * The tasks that there are, with their groups. Tasks of runtime v1 are watched for running out of memory, too: v2
 * shims tell of that themselves (containerd metrics/cgroups/v1/cgroups.go). Owns: the table.
 */
export class WatchedTasks {
  readonly #hierarchies: Hierarchies;
  readonly #ooms: OomWatches;
  readonly #log: Log;
  readonly #tasks = new Map<string, WatchedTask>();
  #isFull = false;

  constructor(hierarchies: Hierarchies, ooms: OomWatches, log: Log) {
    this.#hierarchies = hierarchies;
    this.#ooms = ooms;
    this.#log = log;
  }

  /**
   * Takes a task in, or more that is known of one. `isNew`: it was made just now, so running out of memory in the
   * meantime is still to be told of.
   */
  put(facts: TaskFacts, { isNew }: { readonly isNew: boolean }): void {
    const key = keyOf(facts);
    const known = this.#tasks.get(key);
    if (known === undefined && this.#tasks.size >= tasksLimit) return this.#sayFull();
    const isSame = known?.pid === facts.pid;
    if (known !== undefined && !isSame) this.#ooms.end(key);
    // The groups of a process that has ended are known from when it had not.
    const folders = (isSame ? known.folders : undefined) ?? groupFoldersOf(this.#hierarchies, facts.pid);
    const task = { ...facts, runtime: facts.runtime ?? (isSame ? known.runtime : undefined), folders };
    this.#tasks.set(key, task);
    const memory = this.#hierarchies.version === 1 ? folders?.get("memory") : undefined;
    if (memory === undefined || task.runtime?.startsWith(runtimeV1) !== true) return;
    this.#ooms.start(key, { namespace: task.namespace, id: task.id, folder: memory }, { isNew });
  }

  /** Whether a task is still there, with a runtime that is not known. */
  isNameless({ namespace, id, pid }: Omit<TaskFacts, "runtime">): boolean {
    const task = this.#tasks.get(keyOf({ namespace, id }));
    return task?.pid === pid && task.runtime === undefined;
  }

  /** Forgets a task; one of another pid is a later one and stays. */
  remove(namespace: string, id: string, pid: number): void {
    const key = keyOf({ namespace, id });
    if (this.#tasks.get(key)?.pid !== pid) return;
    this.#forget(key);
  }

  /** Forgets all of a namespace but these. */
  keepOnly(namespace: string, ids: ReadonlySet<string>): void {
    for (const [key, task] of this.#tasks) {
      if (task.namespace === namespace && !ids.has(task.id)) this.#forget(key);
    }
  }

  /** Namespaces that have tasks. */
  get namespaces(): ReadonlySet<string> {
    return new Set(Array.from(this.#tasks.values(), ({ namespace }) => namespace));
  }

  /** Prometheus text of all groups, as they are now. */
  async metrics(): Promise<string> {
    const text = new Exposition(textLimitBytes);
    const deviceOf = deviceNames();
    let leftOut = 0;
    let read = 0;
    for (const task of this.#tasks.values()) {
      if (++read % turnContainers === 0) await nextTurn();
      if (!text.add(labelsOf(task), this.#read(task.folders, deviceOf))) leftOut += 1;
    }
    for (const { namespace, id, count } of this.#ooms.counts()) {
      text.addCounter(oomCount, { container_id: id, namespace }, count);
    }
    if (leftOut > 0) this.#log.warn("containers left out of the metrics, their text is too long", { leftOut });
    return text.toString();
  }

  #read(folders: GroupFolders | undefined, deviceOf: (number: string) => string): Reading[] {
    if (folders === undefined) return [];
    return this.#hierarchies.version === 2 ? v2Readings(folders) : v1Readings(folders, deviceOf);
  }

  #forget(key: string): void {
    this.#tasks.delete(key);
    this.#ooms.end(key);
  }

  #sayFull(): void {
    if (!this.#isFull) this.#log.warn("more tasks than can be watched", { limit: tasksLimit });
    this.#isFull = true;
  }
}

function labelsOf({ namespace, id, runtime }: TaskFacts): Record<string, string> {
  return { container_id: id, namespace, ...(runtime !== undefined && { runtime }) };
}

/** Neither part has a slash. */
function keyOf({ namespace, id }: Pick<TaskFacts, "namespace" | "id">): string {
  return `${namespace}/${id}`;
}
