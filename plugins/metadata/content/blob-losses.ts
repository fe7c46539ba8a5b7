import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { randomFillSync } from "node:crypto";
import { join } from "node:path";
import type { Change } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";

const fileName = "blob-losses";
const countBytes = 8;

/**
 * How often namespaces have lost blobs, in a file that the content package looks at: what it was told about who may read
 * a blob holds for as long as the count stands. Owns: the descriptor.
 */
export class BlobLosses implements Disposable {
  /** Path of the file: its first eight bytes are the count, little-endian. */
  readonly file: string;
  readonly #fd: number;
  readonly #bytes = Buffer.alloc(countBytes);
  #count: bigint;

  private constructor(file: string, fd: number) {
    this.file = file;
    this.#fd = fd;
    // A new file begins anywhere, so that its count is not taken for that of one that was lost.
    if (readSync(fd, this.#bytes, 0, countBytes, 0) < countBytes) randomFillSync(this.#bytes);
    this.#count = this.#bytes.readBigUInt64LE();
    // What this process's predecessor did at its end, or a backup put in the database's place, nobody was told.
    this.#add();
  }

  /** Opens the file in `folder`, which lasts as long as the host runs. It is never replaced: others have it open. */
  static open(folder: string): BlobLosses {
    const file = join(folder, fileName);
    return new BlobLosses(file, openSync(file, constants.O_RDWR | constants.O_CREAT, 0o644));
  }

  /** Times that blobs were lost so far. */
  get count(): bigint {
    return this.#count;
  }

  /** For each transaction, before its commit and in the same turn of the loop: nobody can be told anything between. */
  hear(changes: Iterable<Change>): void {
    for (const { table, value } of changes) {
      if (table.name !== tables.blob.name || value !== undefined) continue;
      this.#add();
      return;
    }
  }

  #add(): void {
    this.#count = BigInt.asUintN(64, this.#count + 1n);
    this.#bytes.writeBigUInt64LE(this.#count);
    writeSync(this.#fd, this.#bytes, 0, countBytes, 0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
