import { chmod, link, mkdtemp, open, rm, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { HostError } from "#proto/wire/errors.ts";
import type { Database } from "../../shared/database/database.ts";

/**
 * Copies the database, as of one moment, to an absolute path where no file is yet; it appears whole or not at all,
 * is the daemon's user's alone, and is on disk when this resolves with its bytes. Such a file can be put in the place of meta.lmdb while the daemon
 * is stopped. Throws invalid-argument, already-exists, resource-exhausted.
 */
export async function backupDatabase(database: Database, file: string): Promise<bigint> {
  if (!isAbsolute(file)) throw new HostError("invalid-argument", `back up metadata: "${file}" is not an absolute path`);
  if (await exists(file)) throw fileExists(file);
  if (!(await exists(dirname(file)))) {
    throw new HostError(
      "failed-precondition",
      `back up metadata to ${file}: the folder ${dirname(file)} does not exist`,
    );
  }
  try {
    await copyPrivately(database, file);
    await syncPath(dirname(file));
    return (await stat(file, { bigint: true })).size;
  } catch (cause) {
    throw failureOf(file, cause);
  }
}

/** Containers' specs may hold secrets: nobody else may read the copy, not even while it is made. */
async function copyPrivately(database: Database, file: string): Promise<void> {
  const folder = await mkdtemp(`${file}.`); // 0700
  const partial = join(folder, "partial");
  try {
    await database.copy(partial);
    await chmod(partial, 0o600);
    await syncPath(partial);
    await link(partial, file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function failureOf(file: string, cause: unknown): HostError {
  const code = cause instanceof Error ? (cause as { code?: unknown }).code : undefined;
  if (code === "EEXIST") return fileExists(file);
  const kind = code === 28 || code === "ENOSPC" ? "resource-exhausted" : "failed-precondition";
  const text = cause instanceof Error ? cause.message : String(cause);
  return new HostError(kind, `back up metadata to ${file}: ${text}`, { cause });
}

function fileExists(file: string): HostError {
  return new HostError("already-exists", `back up metadata: ${file} exists already; name another file`);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function syncPath(path: string): Promise<void> {
  await using handle = await open(path, "r");
  await handle.sync();
}
