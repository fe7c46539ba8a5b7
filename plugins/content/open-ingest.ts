import { createHash, type Hash } from "node:crypto";
import { chmodSync } from "node:fs";
import { open, rm, type FileHandle } from "node:fs/promises";
import { nanosOf, timestampNow } from "#proto/wire/timestamp.ts";
import { diskError } from "./disk-errors.ts";
import { createRecord, readRecord, type IngestRecord } from "./ingest-record.ts";
import { IngestWriter } from "./ingest-writer.ts";
import type { IngestPaths } from "./layout.ts";

/** Bytes hashed at a time when an ingest is resumed. */
const rehashBytes = 1024 * 1024;
const dataMode = 0o644;

export interface OpenIngest {
  readonly paths: IngestPaths;
  readonly ref: string;
  /** Bytes announced now; 0: unknown. One that differs from the ingest's own starts it anew. */
  readonly total: bigint;
  /** Releases the ref's lock, which the caller took; called when opening fails or the writer closes. */
  readonly unlock: () => void;
}

/**
 * Opens the ingest of a ref: begun, or resumed with its digest worked out again from what is on disk. Throws
 * resource-exhausted on a full disk, leaving nothing of a new ingest behind.
 */
export async function openIngest(request: OpenIngest): Promise<IngestWriter> {
  const { paths, ref, total, unlock } = request;
  try {
    const record = readRecord(paths);
    const restarts = record !== undefined && total > 0n && record.total > 0n && record.total !== total;
    return record === undefined || restarts ? await begin(request) : await resume(record, request);
  } catch (error) {
    unlock();
    throw diskError(`open ingest "${ref}"`, error);
  }
}

async function begin({ paths, ref, total, unlock }: OpenIngest): Promise<IngestWriter> {
  const now = nanosOf(timestampNow());
  const status = { ref, startedAt: now, updatedAt: now, total };
  try {
    createRecord(paths, status);
    const file = await open(paths.data, "w+", dataMode);
    return new IngestWriter({ paths, file, unlock, status, hash: createHash("sha256"), offset: 0 });
  } catch (error) {
    await rm(paths.folder, { recursive: true, force: true });
    throw error;
  }
}

async function resume(record: IngestRecord, { paths, total, unlock }: OpenIngest): Promise<IngestWriter> {
  // A crash in the middle of a commit leaves it read-only.
  chmodSync(paths.data, dataMode);
  const file = await open(paths.data, "r+");
  try {
    const hash = createHash("sha256");
    const offset = await rehash(file, hash);
    return new IngestWriter({ paths, file, unlock, status: { ...record, total }, hash, offset });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Feeds a file to a hash and gives its size. */
async function rehash(file: FileHandle, hash: Hash): Promise<number> {
  const buffer = Buffer.allocUnsafe(rehashBytes);
  let offset = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, rehashBytes, offset);
    if (bytesRead === 0) return offset;
    hash.update(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
}
