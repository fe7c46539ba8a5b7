import { dirname } from "node:path";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { HostError } from "#proto/wire/errors.ts";
import type { CheckpointedStore } from "./checkpointed.ts";
import type { DatabaseKind } from "./database-kind.ts";
import { DiskReserve } from "./disk-reserve.ts";
import { commitFailure, diskFullError, fullError } from "./failure.ts";
import type { KeyChange } from "./journal.ts";
import { readerOf, type Entry, type RangeOptions, type Reader } from "./reader.ts";
import type { Table } from "./table.ts";
import { Transaction, type PendingEvent } from "./transaction.ts";

/** Jobs in one commit, at most: bounds how long one keeps the thread. */
const batchLimit = 1000;
/** Jobs that may wait for a commit. */
const queueLimit = 100_000;

export interface DatabaseOptions {
  readonly kind: DatabaseKind;
  /** Path of the LMDB file. */
  readonly file: string;
  /** Given back last. */
  readonly lock: Disposable;
  /** Live bytes, at most; only removals pass beyond. */
  readonly maxBytes: number;
  /** Takes the events of committed transactions, in commit order; a job's caller waits for its own. */
  readonly publish: (event: PendingEvent) => Promise<void>;
  /** A commit failed inside LMDB, which is not to be trusted after that: the process should end. */
  readonly onPanic?: (failure: HostError) => void;
}

interface Job {
  /** Nothing of it is put on disk. */
  readonly isPassing: boolean;
  run(tx: Transaction): void;
  /** Called after the commit with what its events came to. */
  finish(published: Promise<unknown>): void;
  fail(error: unknown): void;
}

/**
 * Records with group commit: jobs queued in one turn of the event loop run one after another and share one commit and
 * its flush. Owns: the store, the room on the disk, the lock.
 */
export class Database implements Reader, AsyncDisposable {
  readonly #store: CheckpointedStore;
  readonly #reader: Reader;
  readonly #options: DatabaseOptions;
  readonly #folder: string;
  readonly #reserve: DiskReserve;
  readonly #listeners: ((tx: Transaction) => void)[] = [];
  #queue: Job[] = [];
  /** Live bytes, counting what LMDB has not taken over yet. */
  #liveBytes = 0;
  #scheduled = false;
  #closed = false;

  constructor(store: CheckpointedStore, options: DatabaseOptions) {
    this.#store = store;
    this.#reader = readerOf(store.store);
    this.#options = options;
    this.#folder = dirname(options.file);
    this.#reserve = new DiskReserve(options.file);
  }

  get<D extends DescMessage>(table: Table<D>, key: readonly string[]): MessageShape<D> | undefined {
    return this.#reader.get(table, key);
  }

  getBytes(table: Table<DescMessage>, key: readonly string[]): Uint8Array | undefined {
    return this.#reader.getBytes(table, key);
  }

  has(table: Table<DescMessage>, key: readonly string[]): boolean {
    return this.#reader.has(table, key);
  }

  range<D extends DescMessage>(
    table: Table<D>,
    prefix: readonly string[],
    options?: RangeOptions,
  ): Iterable<Entry<MessageShape<D>>> {
    return this.#reader.range(table, prefix, options);
  }

  rangeEntries(
    table: Table<DescMessage>,
    prefix: readonly string[],
    options?: RangeOptions,
  ): Iterable<Entry<Uint8Array>> {
    return this.#reader.rangeEntries(table, prefix, options);
  }

  rangeBytes(table: Table<DescMessage>, prefix: readonly string[]): Iterable<Uint8Array> {
    return this.#reader.rangeBytes(table, prefix);
  }

  /**
   * Runs `job` in a transaction; resolves with its result once that is on disk and its events are published.
   * What `job` throws rejects this call and leaves no change. Rejects with resource-exhausted when the database or
   * the disk is full.
   */
  write<T>(job: (tx: Transaction) => T): Promise<T> {
    return this.#enqueue(job, false);
  }

  /**
   * The same for changes that mean nothing after a crash: they are seen by all, take no flush, and are gone with this
   * process. The job must only put; whoever changes the same keys later by `write` does that for good.
   */
  reserve<T>(job: (tx: Transaction) => T): Promise<T> {
    return this.#enqueue(job, true);
  }

  #enqueue<T>(job: (tx: Transaction) => T, isPassing: boolean): Promise<T> {
    if (this.#closed)
      return Promise.reject(new HostError("unavailable", `write ${this.#subject}: the database is closed`));
    if (this.#queue.length >= queueLimit) {
      return Promise.reject(
        new HostError("resource-exhausted", `write ${this.#subject}: ${queueLimit} writes wait already`),
      );
    }
    return new Promise<T>((resolve, reject) => {
      let result: T;
      this.#queue.push({
        isPassing,
        run: (tx) => {
          result = job(tx);
        },
        finish: (published) => {
          published.then(() => resolve(result), reject);
        },
        fail: reject,
      });
      this.#schedule();
    });
  }

  /**
   * Hears of each job's changes, in their order and before the next job runs; one that throws would end the process.
   */
  onChanges(listener: (tx: Transaction) => void): void {
    this.#listeners.push(listener);
  }

  /** Path of the file. */
  get file(): string {
    return this.#options.file;
  }

  /** Live bytes of the database, for metrics. */
  get liveBytes(): number {
    return this.#store.usage.liveBytes;
  }

  /** Copies the database as it is now to a file that is not there yet. */
  copy(file: string): Promise<void> {
    return this.#store.copy(file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#queue.length > 0) this.#commitBatch();
    this.#closed = true;
    await this.#store[Symbol.asyncDispose]();
    this.#reserve[Symbol.dispose]();
    this.#options.lock[Symbol.dispose]();
  }

  get #subject(): string {
    return this.#options.kind.subject;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#closed) return;
      this.#commitBatch();
      if (this.#queue.length > 0) this.#schedule();
    });
  }

  #commitBatch(): void {
    const batch = this.#queue.slice(0, batchLimit);
    this.#queue = this.#queue.slice(batchLimit);
    let done: { job: Job; tx: Transaction }[];
    try {
      done = this.#runJobs(batch);
    } catch (cause) {
      const failure = commitFailure(this.#options.kind, this.#folder, cause);
      this.#options.onPanic?.(failure);
      for (const job of batch) job.fail(failure);
      return;
    }
    for (const { job, tx } of done) job.finish(Promise.all(tx.events.map((event) => this.#options.publish(event))));
  }

  /** Commits each job that ends well; the others fail on their own. */
  #runJobs(batch: readonly Job[]): { job: Job; tx: Transaction }[] {
    const done: { job: Job; tx: Transaction }[] = [];
    let changes: KeyChange[] = [];
    if (this.#store.isTakenOver) this.#countRoom();
    for (const job of batch) {
      const tx = new Transaction(this.#store.store);
      try {
        job.run(tx);
      } catch (error) {
        job.fail(error);
        continue;
      }
      let shortage = job.isPassing ? undefined : this.#shortage(tx);
      if (shortage !== undefined && !this.#store.isTakenOver) {
        // The count goes by the worst case for all that LMDB has not taken over yet.
        this.#store.commit(changes);
        changes = [];
        this.#store.checkpoint();
        this.#countRoom();
        shortage = this.#shortage(tx);
      }
      if (shortage !== undefined) {
        job.fail(shortage);
        continue;
      }
      if (!job.isPassing) this.#liveBytes += tx.addedBytes;
      for (const { key, value } of tx.written) {
        const change = { key: key.toString("latin1"), value };
        if (job.isPassing) this.#store.applyPassing(change);
        else {
          this.#store.apply(change);
          changes.push(change);
        }
      }
      for (const listener of this.#listeners) listener(tx);
      done.push({ job, tx });
    }
    this.#store.commit(changes);
    return done;
  }

  #countRoom(): void {
    this.#liveBytes = this.#store.usage.liveBytes;
    this.#reserve.begin(this.#store.usage);
  }

  /** Takes the room that a job needs; else gives why there is none. */
  #shortage(tx: Transaction): HostError | undefined {
    const { kind, maxBytes } = this.#options;
    if (tx.addedBytes > 0 && this.#liveBytes + tx.addedBytes > maxBytes) return fullError(kind, maxBytes);
    return this.#reserve.take(tx) ? undefined : diskFullError(kind, this.#folder);
  }
}
