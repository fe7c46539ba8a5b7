import { HostError, type Log } from "bulkhead/plugin";
import type { Database } from "../../shared/database/database.ts";
import type { Transaction } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";
import type { Collected, Collector } from "./collector.ts";
import type { Schedule } from "./config.ts";
import type { OwnWrites } from "./own-writes.ts";

/** The interval until the first collection. */
const firstIntervalMs = 1000;
/** Added to the interval after a collection that failed, or left something to do. */
const againMs = 1000;
/** What a caller waits for back ends that delete nothing, once the database is done. */
const emptyingMs = 10_000;

export interface SchedulerParts {
  readonly collector: Collector;
  readonly database: Database;
  readonly own: OwnWrites;
  readonly log: Log;
}

/** A scheduler that hears of the database's changes, collections' own left out. The caller owns it. */
export function startScheduler(schedule: Schedule, { collector, database, own, log }: SchedulerParts): Scheduler {
  const scheduler = new Scheduler(schedule, () => collector.collect(), log);
  database.onChanges((tx) => {
    if (!own.has(tx)) scheduler.hear(tx);
  });
  scheduler.start();
  return scheduler;
}

/** Tables whose removals are deletions; removed blobs and snapshots show as trash. */
const deletable: ReadonlySet<string> = new Set([tables.image, tables.container, tables.lease].map(({ name }) => name));

/**
 * When to collect (containerd gc/scheduler): at ticks of an interval that gives collections their share of time, if
 * something was deleted or enough has changed; at once when asked, or when enough was deleted. Owns: its timer and the
 * collection that runs.
 */
export class Scheduler implements AsyncDisposable {
  readonly #schedule: Schedule;
  readonly #collect: () => Promise<Collected>;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #lastMs = performance.now();
  /** Some collection has been made. */
  #hasTicks = false;
  #intervalMs = firstIntervalMs;
  #workedMs = 0;
  #collections = 0;
  #deletions = 0;
  #mutations = 0;
  #waiting: PromiseWithResolvers<void>[] = [];
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(schedule: Schedule, collect: () => Promise<Collected>, log: Log) {
    this.#schedule = schedule;
    this.#collect = collect;
    this.#log = log;
  }

  /** The first collection comes after the start-up delay, unless one is asked for; without a delay, when there is need. */
  start(): void {
    if (this.#schedule.startupDelayMs > 0) this.#arm(this.#schedule.startupDelayMs);
  }

  /** For each transaction: counts what it changed and deleted. */
  hear(tx: Transaction): void {
    let [isMutation, isDeletion] = [false, false];
    for (const { table, value } of tx.written) {
      isMutation = true;
      const isTrash = table === tables.trash && value !== undefined;
      if (isTrash || (value === undefined && deletable.has(table.name))) isDeletion = true;
    }
    if (isMutation) this.#mutations++;
    // As in containerd, every change counts once something was deleted.
    if (isDeletion || (isMutation && this.#deletions > 0)) this.#deletions++;
    if (isMutation) this.#consider();
  }

  /** A deletion that shows in no table above. */
  deleted(): void {
    this.#deletions++;
    this.#consider();
  }

  /**
   * Collects soon and waits for it, back ends included. Throws unknown when that fails; aborting rejects with the
   * signal's reason, and the collection goes on.
   */
  async collect(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const waiter = Promise.withResolvers<void>();
    const refuse = (): void => waiter.reject(signal.reason as Error);
    signal.addEventListener("abort", refuse, { once: true });
    this.#waiting.push(waiter);
    if (this.#running === undefined) this.#arm(this.#schedule.scheduleDelayMs);
    try {
      await waiter.promise;
    } finally {
      signal.removeEventListener("abort", refuse);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const waiter of this.#waiting) waiter.reject(new HostError("unavailable", "the package is stopping"));
    await this.#running;
  }

  #consider(): void {
    const { deletionThreshold, mutationThreshold, scheduleDelayMs } = this.#schedule;
    if (this.#stopped || this.#running !== undefined) return;
    if (deletionThreshold > 0 && this.#deletions >= deletionThreshold) this.#arm(scheduleDelayMs);
    else if (!this.#hasTicks && this.#schedule.startupDelayMs > 0) return;
    else if (this.#deletions > 0 || (mutationThreshold > 0 && this.#mutations >= mutationThreshold)) {
      this.#arm(this.#untilTickMs());
    }
  }

  /** To the next tick; those at which there was nothing to do were left out. */
  #untilTickMs(): number {
    if (!this.#hasTicks) return this.#schedule.scheduleDelayMs;
    const sinceMs = performance.now() - this.#lastMs;
    return this.#intervalMs - (sinceMs % this.#intervalMs);
  }

  /** The earlier time counts. */
  #arm(afterMs: number): void {
    const atMs = performance.now() + afterMs;
    if (this.#stopped || atMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#running = this.#run();
    }, afterMs);
  }

  async #run(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    [this.#deletions, this.#mutations] = [0, 0];
    let againAfterMs: number | undefined;
    try {
      const collected = await this.#collect();
      this.#count(collected.workedMs);
      void this.#answer(waiting, collected); // never rejects
    } catch (error) {
      if (!this.#stopped) this.#log.error("garbage collection failed", { error });
      for (const waiter of waiting) waiter.reject(new HostError("unknown", "gc failed"));
      againAfterMs = this.#intervalMs + againMs;
    }
    this.#lastMs = performance.now();
    this.#hasTicks = true;
    this.#running = undefined;
    if (againAfterMs !== undefined) this.#arm(againAfterMs);
    if (this.#waiting.length > 0) this.#arm(this.#schedule.scheduleDelayMs);
    this.#consider();
  }

  /** Once back ends are done, or stand still: a hung one delays nobody else for ever. */
  async #answer(waiting: readonly PromiseWithResolvers<void>[], collected: Collected): Promise<void> {
    await untilIdle(collected);
    for (const waiter of waiting) waiter.resolve();
    const { left } = await collected.emptied;
    if (left > 0) this.#arm(this.#schedule.retryMs);
  }

  #count(workedMs: number): void {
    this.#workedMs += workedMs;
    this.#collections++;
    const { pauseThreshold } = this.#schedule;
    if (pauseThreshold === 0) return;
    const averageMs = this.#workedMs / this.#collections;
    this.#intervalMs = Math.max(averageMs / pauseThreshold - averageMs, 1);
  }
}

/** Waits while back ends delete; then no longer. */
async function untilIdle({ emptied, deleted }: Collected): Promise<void> {
  const done = emptied.then(() => true);
  for (let before = -1; before !== deleted(); ) {
    before = deleted();
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const timer = setTimeout(() => resolve(false), emptyingMs);
    const isDone = await Promise.race([done, late]);
    clearTimeout(timer);
    if (isDone) return;
  }
}
