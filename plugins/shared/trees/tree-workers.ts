import { Worker } from "node:worker_threads";
import { HostError } from "#proto/wire/errors.ts";
import { measureSmallTree, type TreeUsage } from "./measure.ts";
import type { TreeAnswer, TreeJob } from "./tree-job.ts";

/** Threads at once: a long copy must not keep a small measurement waiting. */
const threadLimit = 4;
/** Inodes that are looked at here, some microseconds each: less than it takes to wake a thread. */
const smallTree = 30;
/** Jobs that may wait for a thread. */
const queueLimit = 10_000;

/** Beside this module, or in an installed package beside the bundle. */
const entry = import.meta.url.endsWith(".ts") ? "./tree-worker.ts" : "./tree-worker.js";

interface Waiting {
  readonly job: TreeJob;
  readonly end: (answer: TreeAnswer) => void;
}

/**
 * Walks through trees beside the thread that answers calls: one system call after another, which is several times
 * faster than a promise a file. Threads start when they are needed; one is kept. Owns: the threads.
 */
export class TreeWorkers implements AsyncDisposable {
  #idle: Worker | undefined;
  readonly #busy = new Map<Worker, Waiting>();
  readonly #queue: Waiting[] = [];

  /** What a tree takes of its disk. */
  async measure(path: string): Promise<TreeUsage> {
    return measureSmallTree(path, smallTree) ?? (await this.#measure({ task: "measure", path }));
  }

  /** What tree `to` has that tree `from` has not, or otherwise; see `measureChanges`. */
  measureChanges(from: string, to: string): Promise<TreeUsage> {
    return this.#measure({ task: "measure-changes", from, to });
  }

  /** Copies the contents and attributes of a folder to another, empty one; see `copyTree`. */
  async copy(from: string, to: string): Promise<void> {
    await this.#run({ task: "copy", from, to });
  }

  /** Removes trees; each that can be, whatever befalls the others. */
  async remove(paths: readonly string[]): Promise<void> {
    if (paths.length > 0) await this.#run({ task: "remove", paths });
  }

  /** Makes a btrfs subvolume, empty or of what `source` holds; it is on disk when this resolves. */
  async makeSubvolume(path: string, source?: string, { isReadonly = false } = {}): Promise<void> {
    await this.#run({ task: "make-subvolume", path, source, isReadonly });
  }

  /** Deletes btrfs subvolumes, and those inside them. */
  async removeSubvolumes(paths: readonly string[]): Promise<void> {
    if (paths.length > 0) await this.#run({ task: "remove-subvolumes", paths });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { end } of this.#queue.splice(0)) end({ failure: { message: "closed", code: undefined } });
    const workers = [...this.#busy.keys(), ...(this.#idle === undefined ? [] : [this.#idle])];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  async #measure(job: TreeJob): Promise<TreeUsage> {
    const usage = await this.#run(job);
    if (usage === undefined) throw new HostError("internal", `${job.task}: no answer`);
    return usage;
  }

  async #run(job: TreeJob): Promise<TreeUsage | undefined> {
    if (this.#queue.length >= queueLimit) {
      throw new HostError("resource-exhausted", `${queueLimit} pieces of work on trees wait already`);
    }
    const answer = await new Promise<TreeAnswer>((end) => {
      this.#queue.push({ job, end });
      this.#startNext();
    });
    if ("usage" in answer) return answer.usage;
    const { message, code } = answer.failure;
    throw Object.assign(new Error(message), { code });
  }

  #startNext(): void {
    if (this.#busy.size >= threadLimit) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    const worker = this.#idle ?? this.#startThread();
    this.#idle = undefined;
    this.#busy.set(worker, waiting);
    worker.ref();
    worker.postMessage(waiting.job);
  }

  #startThread(): Worker {
    const worker = new Worker(new URL(entry, import.meta.url));
    worker.on("message", (answer: TreeAnswer) => this.#finish(worker, answer));
    worker.on("error", (error: Error) => this.#lose(worker, error.message));
    worker.on("exit", () => this.#lose(worker, "the thread ended"));
    return worker;
  }

  #finish(worker: Worker, answer: TreeAnswer): void {
    this.#busy.get(worker)?.end(answer);
    this.#busy.delete(worker);
    worker.unref();
    if (this.#idle === undefined) this.#idle = worker;
    else void worker.terminate(); // a failure to end shows in its exit, which is heard
    this.#startNext();
  }

  #lose(worker: Worker, message: string): void {
    if (this.#idle === worker) this.#idle = undefined;
    this.#busy.get(worker)?.end({ failure: { message, code: undefined } });
    if (this.#busy.delete(worker)) this.#startNext();
  }
}
