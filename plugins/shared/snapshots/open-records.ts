import { existsSync } from "node:fs";
import { join } from "node:path";
import { HostError } from "#proto/wire/errors.ts";
import type { Database } from "../database/database.ts";
import type { DatabaseKind } from "../database/database-kind.ts";
import { openDatabase } from "../database/open.ts";

/** containerd's file is metadata.db, a bolt file: the names must differ. */
const snapshotDatabase: DatabaseKind = {
  subject: "snapshot metadata",
  fileName: "metadata.lmdb",
  formatVersion: 1,
};
const containerdFile = "metadata.db";

/** Live bytes, at most: some million snapshots. */
const maxBytes = 4 * 2 ** 30;

export interface RecordsOptions {
  /** A commit failed inside LMDB, which is not to be trusted after that: the process should end. */
  readonly onPanic?: (failure: HostError) => void;
}

/**
 * Opens the records of the snapshotter whose root is `root`. Throws failed-precondition, with nothing touched, for a
 * root of containerd's, and what `openDatabase` throws.
 */
export async function openRecords(root: string, options: RecordsOptions = {}): Promise<Database> {
  if (existsSync(join(root, containerdFile))) throw foreignRoot(root);
  return openDatabase(snapshotDatabase, root, { ...options, maxBytes, publish: () => Promise.resolve() });
}

function foreignRoot(root: string): HostError {
  return new HostError(
    "failed-precondition",
    `open ${root}: it holds snapshots of containerd (${containerdFile}), which are left as they are; ` +
      "name another folder as root_path",
  );
}
