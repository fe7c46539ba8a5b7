import type { Database } from "../../shared/database/database.ts";
import { tables } from "../database/tables.ts";
import { snapshotCounter } from "./intents.ts";
import type { SnapshotScope } from "./snapshots.ts";

/** Numbers taken from a counter in one transaction; a crash loses what is left of them. */
const blockSize = 1000n;

/** Numbers in the back ends' keys, which are never given twice, not even after a crash, without a flush for each. */
export class BackEndNumbers {
  readonly #database: Database;
  /** Last given and last that may be given, by counter. */
  readonly #blocks = new Map<string, { last: bigint; readonly end: bigint }>();
  readonly #refills = new Map<string, Promise<void>>();

  constructor(database: Database) {
    this.#database = database;
  }

  async next(scope: SnapshotScope): Promise<bigint> {
    const counter = snapshotCounter(scope);
    for (;;) {
      const block = this.#blocks.get(counter);
      if (block !== undefined && block.last < block.end) return ++block.last;
      let refill = this.#refills.get(counter);
      if (refill === undefined) {
        refill = this.#refill(counter).finally(() => this.#refills.delete(counter));
        this.#refills.set(counter, refill);
      }
      await refill;
    }
  }

  /** Takes back a number that no key was made of: the next one has it, as long as it was the last. */
  giveBack(scope: SnapshotScope, number: bigint): void {
    const block = this.#blocks.get(snapshotCounter(scope));
    if (block?.last === number) block.last--;
  }

  async #refill(counter: string): Promise<void> {
    const last = await this.#database.write((tx) => {
      const before = tx.get(tables.sequence, [counter])?.last ?? 0n;
      tx.put(tables.sequence, [counter], { last: before + blockSize });
      return before;
    });
    this.#blocks.set(counter, { last, end: last + blockSize });
  }
}
