import { randomBytes } from "node:crypto";
import { toBinary, create } from "@bufbuild/protobuf";
import { byteStoreOf, usageOf, type Environment, type Usage } from "./environment.ts";
import type { Journal, KeyChange } from "./journal.ts";
import { readerOf, recordKey, type ByteStore } from "./reader.ts";
import { RecentChanges } from "./recent-changes.ts";
import { ownTables } from "./table.ts";

/** Changes that wait in the journal, at most: bounds what a take-over keeps the thread, and reading after a crash. */
const recentLimit = 256;

/**
 * LMDB with a journal in front of it. A commit is one append to the journal, which costs one flush and no page of the
 * tree; LMDB takes over many commits in one transaction of its own. Without a journal it takes over each. Owns: both.
 */
export class CheckpointedStore implements AsyncDisposable {
  /** What was committed, with what is being. */
  readonly store: ByteStore;
  readonly #environment: Environment;
  readonly #journal: Journal | undefined;
  readonly #recent = new RecentChanges();
  /** What is never put on disk. */
  readonly #passing = new RecentChanges();
  #usage: Usage;
  #isBegun = false;

  /** Reads what a crash left in the journal, and changes nothing before the first `checkpoint`. */
  constructor(environment: Environment, journal: Journal | undefined) {
    this.#environment = environment;
    this.#journal = journal;
    const below = byteStoreOf(environment);
    this.store = this.#passing.over(this.#recent.over(below));
    const epoch = readerOf(below).get(ownTables.journal, [])?.last;
    if (journal !== undefined && epoch !== undefined) {
      for (const changes of journal.read(epoch)) for (const change of changes) this.#recent.set(change);
    }
    this.#usage = usageOf(environment);
  }

  /** What LMDB takes of its file, as of the last take-over. */
  get usage(): Usage {
    return this.#usage;
  }

  /** Whether LMDB has everything. */
  get isTakenOver(): boolean {
    return this.#recent.size === 0;
  }

  /** Shows a change to those who read, before it is committed. */
  apply(change: KeyChange): void {
    this.#recent.set(change);
    this.#passing.forget(change.key);
  }

  /** The same for one that lasts as long as this process, or until its key is changed for good. */
  applyPassing(change: KeyChange): void {
    this.#passing.set(change);
  }

  /** Puts changes that were applied on disk. Throws when that fails; what is on disk is not known then. */
  commit(changes: readonly KeyChange[]): void {
    if (changes.length === 0) return;
    const isKept = this.#recent.size < recentLimit && this.#journal?.append(changes) === true;
    if (!isKept) this.checkpoint();
  }

  /** Has LMDB take over everything; to be called once before the first commit. Throws as `commit`. */
  checkpoint(): void {
    this.#isBegun = true;
    const epoch = randomBytes(8).readBigUInt64LE();
    const record = toBinary(ownTables.journal.schema, create(ownTables.journal.schema, { last: epoch }));
    this.#environment.transactionSync(() => {
      for (const { key, value } of this.#recent.entries()) {
        const bytes = Buffer.from(key, "latin1");
        if (value === undefined) this.#environment.removeSync(bytes);
        else this.#environment.putSync(bytes, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      }
      if (this.#journal !== undefined) this.#environment.putSync(recordKey(ownTables.journal, []), Buffer.from(record));
    });
    this.#recent.clear();
    this.#journal?.begin(epoch);
    this.#usage = usageOf(this.#environment);
  }

  /** Copies everything to a file that is not there yet. */
  async copy(file: string): Promise<void> {
    this.checkpoint();
    await this.#environment.backup(file, false);
    this.checkpoint(); // a new epoch: what comes now must not be taken for changes to the copy
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isBegun && !this.isTakenOver) this.checkpoint();
    this.#isBegun = false;
    await this.#environment.close();
    this.#journal?.[Symbol.dispose]();
  }
}
