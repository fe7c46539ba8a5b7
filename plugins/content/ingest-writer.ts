import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { rm } from "node:fs/promises";
import { HostError } from "bulkhead/plugin";
import { nanosOf, timestampNow } from "#proto/wire/timestamp.ts";
import { diskError, errnoOf } from "./disk-errors.ts";
import { touchRecord } from "./ingest-record.ts";
import type { IngestPaths } from "./layout.ts";

/** Bytes between two flushes in the background, so that the one at the commit has little left to do. */
const flushEveryBytes = 16 * 1024 * 1024;

/** What a writer tells about itself. */
export interface WriterStatus {
  readonly ref: string;
  /** Bytes written. */
  readonly offset: bigint;
  /** Bytes announced; 0: unknown. */
  readonly total: bigint;
  /** Nanoseconds since the epoch. */
  readonly startedAt: bigint;
  readonly updatedAt: bigint;
}

export interface WriterParts {
  readonly paths: IngestPaths;
  readonly file: FileHandle;
  /** Releases the ref's lock. */
  readonly unlock: () => void;
  readonly status: Omit<WriterStatus, "offset">;
  /** Has seen the file's first `offset` bytes. */
  readonly hash: Hash;
  readonly offset: number;
}

/**
 * The one open writer of an ingest, as containerd's content/local/writer.go. Bytes are hashed while the kernel takes
 * them; nothing is promised to be on disk before `flush`. After a failed write it must be closed.
 * Owns: the data file's handle and the ref's lock.
 */
export class IngestWriter implements AsyncDisposable {
  readonly paths: IngestPaths;
  readonly #file: FileHandle;
  readonly #unlock: () => void;
  readonly #status: Omit<WriterStatus, "offset">;
  #updatedAt: bigint;
  #hash: Hash;
  #offset: number;
  #unflushedBytes = 0;
  /** Resolves to what went wrong, which then stays. */
  #flushing: Promise<Error | undefined> | undefined;
  #closed = false;

  constructor(parts: WriterParts) {
    this.paths = parts.paths;
    this.#file = parts.file;
    this.#unlock = parts.unlock;
    this.#status = parts.status;
    this.#updatedAt = parts.status.updatedAt;
    this.#hash = parts.hash;
    this.#offset = parts.offset;
  }

  get status(): WriterStatus {
    return { ...this.#status, updatedAt: this.#updatedAt, offset: BigInt(this.#offset) };
  }

  /** `sha256:…` of the bytes so far. */
  get digest(): string {
    return `sha256:${this.#hash.copy().digest("hex")}`;
  }

  /** Appends. Throws resource-exhausted on a full disk; the ingest then ends where it did before the call. */
  async write(data: Uint8Array): Promise<void> {
    const written = this.#writeAll(data);
    this.#hash.update(data); // while the thread pool writes
    await written;
    this.#offset += data.length;
    this.#updatedAt = nanosOf(timestampNow());
    this.#flushInBackground(data.length);
  }

  /** Throws away what was written. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash("sha256");
    this.#offset = 0;
  }

  /**
   * Puts the bytes on disk, the file's times set to now. After a failed flush the kernel may call lost pages clean,
   * so that a later flush proves nothing: such an ingest is thrown away. Throws resource-exhausted on a full disk.
   */
  async flush(): Promise<void> {
    try {
      const failure = await this.#flushing;
      if (failure !== undefined) throw failure;
      const seconds = Date.now() / 1000;
      await this.#file.utimes(seconds, seconds);
      await this.#file.sync();
    } catch (error) {
      await this.discard();
      throw diskError(`flush ingest "${this.#status.ref}"`, error);
    }
  }

  /** Removes the ingest and closes the writer. What cannot be removed is left for the sweep at the next start. */
  async discard(): Promise<void> {
    try {
      await rm(this.paths.folder, { recursive: true, force: true });
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    } finally {
      await this[Symbol.asyncDispose]();
    }
  }

  /** Closes the file and releases the ref; the ingest stays, to be resumed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#flushing;
      await this.#file.close();
      this.#recordTime();
    } finally {
      this.#unlock();
    }
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    let done = 0;
    try {
      while (done < data.length) {
        const { bytesWritten } = await this.#file.write(data, done, data.length - done, this.#offset + done);
        done += bytesWritten;
      }
    } catch (error) {
      await this.#file.truncate(this.#offset);
      throw diskError(`write to ingest "${this.#status.ref}"`, error);
    }
  }

  #flushInBackground(bytes: number): void {
    this.#unflushedBytes += bytes;
    if (this.#flushing !== undefined || this.#unflushedBytes < flushEveryBytes) return;
    this.#unflushedBytes = 0;
    this.#flushing = this.#file.datasync().then(
      () => {
        this.#flushing = undefined;
        return undefined;
      },
      (error: unknown) => diskError(`flush ingest "${this.#status.ref}"`, error),
    );
  }

  #recordTime(): void {
    try {
      touchRecord(this.paths, this.#updatedAt);
    } catch (error) {
      // The ingest is gone, or the disk is full: the data's own time then stands in.
      if (!(error instanceof HostError) && errnoOf(error) === undefined) throw error;
    }
  }
}
