import { dirname } from "node:path";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { HostError } from "#proto/wire/errors.ts";
import type { DatabaseKind } from "./database-kind.ts";
import { DiskReserve } from "./disk-reserve.ts";
import { byteStoreOf, usageOf, type Environment } from "./environment.ts";
import { commitFailure, diskFullError, fullError } from "./failure.ts";
import { readerOf, type ByteStore, type Entry, type RangeOptions, type Reader } from "./reader.ts";
import type { Table } from "./table.ts";
import { Transaction, type PendingEvent } from "./transaction.ts";

/** Jobs in one commit, at most: bounds how long one keeps the thread. */
const batchLimit = 1000;
/** Jobs that may wait for a commit. */
const queueLimit = 100_000;

export interface DatabaseOptions {
  readonly kind: DatabaseKind;
  /** Path of the environment. */
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
  run(tx: Transaction): void;
  /** Called after the commit with what its events came to. */
  finish(published: Promise<unknown>): void;
  fail(error: unknown): void;
}

/**
 * Records with group commit: jobs queued in one turn of the event loop run one after another in one LMDB
 * transaction and share its flush. Owns: the environment, the room on the disk, the lock.
 */
export class Database implements Reader, AsyncDisposable {
  readonly #environment: Environment;
  readonly #store: ByteStore;
  readonly #reader: Reader;
  readonly #options: DatabaseOptions;
  readonly #folder: string;
  readonly #reserve: DiskReserve;
  readonly #listeners: ((tx: Transaction) => void)[] = [];
  #queue: Job[] = [];
  #scheduled = false;
  #closed = false;

  constructor(environment: Environment, options: DatabaseOptions) {
    this.#environment = environment;
    this.#store = byteStoreOf(environment);
    this.#reader = readerOf(this.#store);
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
    return usageOf(this.#environment).liveBytes;
  }

  /** Copies the database as it is now to a file that is not there yet. */
  copy(file: string): Promise<void> {
    return this.#environment.backup(file, false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#queue.length > 0) this.#commitBatch();
    this.#closed = true;
    await this.#environment.close();
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
      done = this.#environment.transactionSync(() => this.#runJobs(batch));
    } catch (cause) {
      const failure = commitFailure(this.#options.kind, this.#folder, cause);
      this.#options.onPanic?.(failure);
      for (const job of batch) job.fail(failure);
      return;
    }
    for (const { job, tx } of done) job.finish(Promise.all(tx.events.map((event) => this.#options.publish(event))));
  }

  /** Applies each job that ends well to the open LMDB transaction; the others fail on their own. */
  #runJobs(batch: readonly Job[]): { job: Job; tx: Transaction }[] {
    const usage = usageOf(this.#environment);
    let bytes = usage.liveBytes;
    this.#reserve.begin(usage);
    const done: { job: Job; tx: Transaction }[] = [];
    for (const job of batch) {
      const tx = new Transaction(this.#store);
      try {
        job.run(tx);
        this.#checkRoom(tx, bytes);
      } catch (error) {
        job.fail(error);
        continue;
      }
      bytes += tx.addedBytes;
      this.#apply(tx);
      for (const listener of this.#listeners) listener(tx);
      done.push({ job, tx });
    }
    return done;
  }

  #checkRoom(tx: Transaction, liveBytes: number): void {
    const { kind, maxBytes } = this.#options;
    if (tx.addedBytes > 0 && liveBytes + tx.addedBytes > maxBytes) throw fullError(kind, maxBytes);
    if (!this.#reserve.take(tx)) throw diskFullError(kind, this.#folder);
  }

  #apply(tx: Transaction): void {
    for (const { key, value } of tx.written) {
      if (value === undefined) this.#environment.removeSync(key);
      else this.#environment.putSync(key, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    }
  }
}
