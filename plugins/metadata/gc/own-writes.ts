import type { Database } from "../../shared/database/database.ts";
import type { Transaction } from "../../shared/database/transaction.ts";

/** The transactions of collections, which are not what the next one is scheduled for. */
export class OwnWrites {
  readonly #seen = new WeakSet<Transaction>();

  /** As `database.write`. */
  write<T>(database: Database, job: (tx: Transaction) => T): Promise<T> {
    return database.write((tx) => {
      this.#seen.add(tx);
      return job(tx);
    });
  }

  has(tx: Transaction): boolean {
    return this.#seen.has(tx);
  }
}
