import { closeSync, fstatSync, ftruncateSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Usage } from "./environment.ts";

/** The file grows by this much, or more where a job needs more. */
const stepBytes = 256 * 1024;
/** Kept free for jobs that only remove: they must work on a full disk. */
const headroomBytes = 256 * 1024;
/** Pages of a commit beside those of its changes: free list, roots. */
const fixedPages = 32;

/** What LMDB takes for a new database, and its journal, and more. */
const newDatabaseBytes = 768 * 1024;

/**
 * Finds out whether a new database fits, before LMDB makes its files: false on a full disk. `folder` must be there.
 */
export function hasRoomForNew(folder: string): boolean {
  const probe = join(folder, "room.probe");
  try {
    writeFileSync(probe, Buffer.alloc(newDatabaseBytes));
    return true;
  } catch (error) {
    if (isDiskFull(error)) return false;
    throw error;
  } finally {
    rmSync(probe, { force: true });
  }
}

/** What a job is about to write. */
export interface JobSize {
  readonly changes: number;
  /** Bytes of the records it puts. */
  readonly addedBytes: number;
}

/**
 * Room on the disk for LMDB's next pages, taken by writing zeros behind the end of its file before each job. LMDB must
 * never meet a full disk itself: a commit whose write is cut short leaves its heap corrupt, and the process dies later.
 * Owns: a descriptor of the file.
 */
export class DiskReserve implements Disposable {
  readonly #fd: number;
  #endBytes: number;
  #usage: Usage | undefined;
  #takenPages = 0;
  #changes = 0;

  /** The file must be there. */
  constructor(file: string) {
    this.#fd = openSync(file, "r+");
    this.#endBytes = fstatSync(this.#fd).size;
  }

  /** What comes from now on is taken over by one transaction. */
  begin(usage: Usage): void {
    this.#usage = usage;
    this.#takenPages = fixedPages;
    this.#changes = 0;
    this.#endBytes = Math.max(this.#endBytes, fstatSync(this.#fd).size);
  }

  /** Takes room for one more job of it; false: the disk is full. */
  take({ changes, addedBytes }: JobSize): boolean {
    if (this.#usage === undefined) return false;
    const { pageBytes, depth, treePages, lastPage } = this.#usage;
    // A change copies the path from the root to its leaf; no page is copied twice, and splitting adds two a change.
    const before = copiedPages(this.#changes, depth, treePages);
    const copied = copiedPages(this.#changes + changes, depth, treePages) - before;
    const pages = copied + Math.ceil(addedBytes / pageBytes) + changes;
    const needed = (lastPage + 1 + this.#takenPages + pages) * pageBytes;
    if (!this.#grow(needed + (addedBytes > 0 ? headroomBytes : 0))) return false;
    this.#takenPages += pages;
    this.#changes += changes;
    return true;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #grow(bytes: number): boolean {
    if (bytes <= this.#endBytes) return true;
    const end = Math.ceil(bytes / stepBytes) * stepBytes;
    try {
      const zeros = Buffer.alloc(stepBytes);
      for (let at = this.#endBytes; at < end; ) {
        at += writeSync(this.#fd, zeros, 0, Math.min(stepBytes, end - at), at);
      }
    } catch (error) {
      ftruncateSync(this.#fd, this.#endBytes);
      if (isDiskFull(error)) return false;
      throw error;
    }
    this.#endBytes = end;
    return true;
  }
}

function copiedPages(changes: number, depth: number, treePages: number): number {
  return Math.min(changes * (depth + 1), treePages) + 2 * changes;
}

/** Whether a write failed for want of room. */
export function isDiskFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT";
}
