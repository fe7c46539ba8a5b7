import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Lock, LockHeldError } from "#linux";
import { HostError } from "#proto/wire/errors.ts";
import { CheckpointedStore } from "./checkpointed.ts";
import type { DatabaseKind } from "./database-kind.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import { hasRoomForNew } from "./disk-reserve.ts";
import { openEnvironment } from "./environment.ts";
import { diskFullError, openFailure } from "./failure.ts";
import { checkDatabaseFile } from "./file-check.ts";
import { Journal } from "./journal.ts";
import { isNewDatabase, recordFormat } from "./version.ts";

const lockFile = "lock";

export interface OpenOptions extends Omit<DatabaseOptions, "kind" | "file" | "lock"> {
  /** Flush each commit to disk; default true. */
  readonly flushes?: boolean;
}

/**
 * Opens the database in `folder`, making both where they are missing. Throws unavailable while another process has
 * it open, failed-precondition when a newer Bulkhead wrote it or the folder cannot be written, data-loss for a file
 * that is no database.
 */
export async function openDatabase(kind: DatabaseKind, folder: string, options: OpenOptions): Promise<Database> {
  const lock = takeLock(kind, folder);
  const file = join(folder, kind.fileName);
  try {
    checkDatabaseFile(kind, file);
    const isComplete = [file, `${file}-lock`].every((path) => existsSync(path));
    if (!isComplete && !hasRoomForNew(folder)) throw diskFullError(kind, folder);
    const store = openStore(file, options.flushes ?? true);
    return await readFormat(kind, store, new Database(store, { ...options, kind, file, lock }));
  } catch (error) {
    lock[Symbol.dispose]();
    throw openFailure(file, error);
  }
}

/** A database that nobody flushes needs no journal, which is there for the price of a flush. */
function openStore(file: string, flushes: boolean): CheckpointedStore {
  const journal = flushes ? Journal.open(`${file}-journal`) : undefined;
  try {
    return new CheckpointedStore(openEnvironment(file, { flushes }), journal);
  } catch (error) {
    journal?.[Symbol.dispose]();
    throw error;
  }
}

/** The database, closed again where its format is not for us. */
async function readFormat(kind: DatabaseKind, store: CheckpointedStore, database: Database): Promise<Database> {
  try {
    const isNew = isNewDatabase(kind, database, database.file);
    store.checkpoint(); // not before: a newer one's journal is not ours to read
    if (isNew) await database.write((tx) => recordFormat(kind, tx));
    return database;
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

/** LMDB lets any number of processes write, each with its own idea of the next id: only one may. */
function takeLock({ subject }: DatabaseKind, folder: string): Lock {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return Lock.acquire(join(folder, lockFile), `pid ${process.pid}`);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (cause instanceof LockHeldError) {
      throw new HostError("unavailable", `open the ${subject} database: ${text}; it must end first`, { cause });
    }
    throw new HostError("failed-precondition", `open the ${subject} database in ${folder}: ${text}`, { cause });
  }
}
