import { Worker, type Transferable } from "node:worker_threads";
import { HostError } from "bulkhead/plugin";
import type { FromWorker, Job, LayerFacts, ToWorker } from "./jobs.ts";

/** A thread without a job ends after this. */
const idleMs = 30_000;
/** Jobs that wait for a thread. */
const waitingLimit = 1000;
/** Of one thread's own heap: far above what any layer needs, so that one that goes wrong ends alone. */
const heapMebibytes = 512;

const entry = new URL(import.meta.url.endsWith(".ts") ? "../worker.ts" : "./worker.js", import.meta.url);

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly transfer?: readonly Transferable[];
  /** Hears what a layer has and this system does not take. */
  readonly onIgnored?: (what: string) => void;
}

interface IdleWorker {
  readonly worker: Worker;
  readonly timer: NodeJS.Timeout;
}

/** Threads for jobs that block, one job each at a time, made when needed. Owns: the threads. */
export class Workers implements AsyncDisposable {
  readonly #limit: number;
  readonly #idle: IdleWorker[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #all = new Set<Worker>();
  #busy = 0;

  /** `limit`: jobs at once. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Runs a job; settles when its thread is done with it, also after `signal` has aborted. Throws what the job threw,
   * resource-exhausted when too many wait, internal when the thread has ended.
   */
  async run(job: Job, options: RunOptions): Promise<LayerFacts> {
    await this.#turn(options.signal);
    try {
      const worker = this.#take();
      return await runOn(worker, job, options).finally(() => this.#rest(worker));
    } finally {
      this.#endTurn();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { timer } of this.#idle) clearTimeout(timer);
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#busy < this.#limit) {
      this.#busy++;
      return;
    }
    if (this.#waiting.length >= waitingLimit) {
      throw new HostError("resource-exhausted", `${waitingLimit} layers wait for the differ already; try again later`);
    }
    const turn = Promise.withResolvers<void>();
    const leave = (): void => {
      const at = this.#waiting.indexOf(turn.resolve);
      if (at < 0) return; // its turn has come
      this.#waiting.splice(at, 1);
      turn.reject(signal.reason as Error);
    };
    this.#waiting.push(turn.resolve);
    signal.addEventListener("abort", leave, { once: true });
    await turn.promise.finally(() => signal.removeEventListener("abort", leave));
  }

  /** The turn goes to who waits longest. */
  #endTurn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#busy--;
    else next();
  }

  #take(): Worker {
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      clearTimeout(idle.timer);
      return idle.worker;
    }
    const worker = new Worker(entry, {
      resourceLimits: { maxOldGenerationSizeMb: heapMebibytes },
      // Node knows nothing of files that were opened by other calls than its own, and would warn of each one closed.
      trackUnmanagedFds: false,
    });
    this.#all.add(worker);
    worker.on("error", () => {}); // a job hears of it by itself
    worker.once("exit", () => this.#forget(worker));
    return worker;
  }

  #rest(worker: Worker): void {
    if (!this.#all.has(worker)) return;
    const timer = setTimeout(() => void worker.terminate(), idleMs); // its exit is heard
    timer.unref();
    worker.unref();
    this.#idle.push({ worker, timer });
  }

  #forget(worker: Worker): void {
    this.#all.delete(worker);
    const at = this.#idle.findIndex((each) => each.worker === worker);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}

/** A worker whose job failed is as good as before; one that ended fails its job. */
function runOn(worker: Worker, job: Job, options: RunOptions): Promise<LayerFacts> {
  const { signal, transfer = [], onIgnored } = options;
  const { promise, resolve, reject } = Promise.withResolvers<LayerFacts>();
  const onMessage = (message: FromWorker): void => {
    if (message.kind === "done") resolve(message.facts);
    else if (message.kind === "failed") reject(new HostError(message.error.kind, message.error.message));
    else onIgnored?.(message.what);
  };
  const onEnd = (cause?: unknown): void =>
    reject(new HostError("internal", "the thread that worked on the layer has ended", { cause }));
  const cancel = (): void => tell(worker, { kind: "cancel" });
  worker.ref();
  worker.on("message", onMessage).on("error", onEnd).on("exit", onEnd);
  signal.addEventListener("abort", cancel, { once: true });
  tell(worker, { kind: "run", job }, transfer);
  if (signal.aborted) cancel();
  return promise.finally(() => {
    signal.removeEventListener("abort", cancel);
    worker.off("message", onMessage).off("error", onEnd).off("exit", onEnd);
  });
}

function tell(worker: Worker, message: ToWorker, transfer: readonly Transferable[] = []): void {
  worker.postMessage(message, [...transfer]);
}
