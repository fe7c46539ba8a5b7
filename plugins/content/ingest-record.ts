import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { formatRfc3339, parseRfc3339 } from "#proto/wire/rfc3339.ts";
import { errnoOf } from "./disk-errors.ts";
import type { IngestPaths } from "./layout.ts";

/** What the store remembers of an ingest between connections and restarts. */
export interface IngestRecord {
  readonly ref: string;
  /** Nanoseconds since the epoch. */
  readonly startedAt: bigint;
  readonly updatedAt: bigint;
  /** Bytes announced when it was opened; 0: unknown. */
  readonly total: bigint;
  /** Bytes on disk. */
  readonly offset: bigint;
}

// Synchronous on purpose: a handful of tiny files, where each hop to the thread pool costs more than the call.

/** Writes a new ingest's record, all but its data. A crash in between leaves a folder without data. */
export function createRecord(paths: IngestPaths, record: Omit<IngestRecord, "offset">): void {
  mkdirSync(paths.folder, { recursive: true });
  writeFileSync(paths.ref, record.ref);
  writeFileSync(paths.startedAt, formatRfc3339(record.startedAt));
  writeFileSync(paths.updatedAt, formatRfc3339(record.updatedAt));
  rmSync(paths.total, { force: true });
  if (record.total > 0n) writeFileSync(paths.total, record.total.toString());
}

/** Reads an ingest's record; undefined where it has no data. Times that cannot be read become the data's. */
export function readRecord(paths: IngestPaths): IngestRecord | undefined {
  const data = statSync(paths.data, { bigint: true, throwIfNoEntry: false });
  const ref = readText(paths.ref);
  if (data === undefined || ref === undefined) return undefined;
  return {
    ref,
    startedAt: readTime(paths.startedAt) ?? data.birthtimeNs,
    updatedAt: readTime(paths.updatedAt) ?? data.mtimeNs,
    total: readTotal(paths.total),
    offset: data.size,
  };
}

/** Records when the ingest was last written; atomic, so that a crash leaves the old or the new time. */
export function touchRecord(paths: IngestPaths, updatedAt: bigint): void {
  const next = `${paths.updatedAt}.next`;
  writeFileSync(next, formatRfc3339(updatedAt));
  renameSync(next, paths.updatedAt);
}

function readTime(path: string): bigint | undefined {
  return parseRfc3339(readText(path)?.trim() ?? "");
}

function readTotal(path: string): bigint {
  const text = readText(path)?.trim() ?? "";
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
