import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  rmSync,
  writeSync,
  constants,
} from "node:fs";
import { isLinuxError } from "./error.ts";
import { callLibc } from "./library.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
/** Longest text kept of who holds a lock, in bytes. */
const textLimitBytes = 1024;

export interface FlockOptions {
  readonly exclusive: boolean;
  /** false: waits, and the thread with it. */
  readonly nonblocking: boolean;
}

/**
 * Locks an open file (flock); the lock lives as long as the open file description, in whatever process.
 * @throws LinuxError EAGAIN: someone else holds it.
 */
export function flock(fd: number, options: FlockOptions): void {
  const operation = (options.exclusive ? LOCK_EX : LOCK_SH) | (options.nonblocking ? LOCK_NB : 0);
  callLibc({ syscall: "flock" }, "int flock(int fd, int operation)", fd, operation);
}

/** Gives an flock back without closing the file. */
export function unlockFile(fd: number): void {
  callLibc({ syscall: "flock" }, "int flock(int fd, int operation)", fd, LOCK_UN);
}

/** Someone else holds the lock; `holder` is what they wrote into its file, perhaps empty. */
export class LockHeldError extends Error {
  override readonly name = "LockHeldError";
  readonly path: string;
  readonly holder: string;

  constructor(path: string, holder: string) {
    super(`lock ${path} is held${holder === "" ? "" : ` by ${holder}`}`);
    this.path = path;
    this.holder = holder;
  }
}

/** An exclusive lock on a file that says who holds it. Owns: the descriptor (close-on-exec) and the file. */
export class Lock implements Disposable {
  readonly path: string;
  readonly #fd: number;
  #released = false;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /**
   * Takes the lock at once or not at all; `text` (one line, like "pid 12 since …") is what others are told.
   * @throws LockHeldError; Node's errors of open (EACCES, EROFS, …).
   */
  static acquire(path: string, text: string): Lock {
    for (;;) {
      const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
      try {
        flock(fd, { exclusive: true, nonblocking: true });
        // Its last holder may have removed the file between our open and our lock; then lock the new one.
        if (isFileAt(fd, path)) {
          describeHolder(fd, text);
          return new Lock(path, fd);
        }
      } catch (error) {
        const holder = isLinuxError(error, "EAGAIN") ? readText(fd) : undefined;
        closeSync(fd);
        throw holder === undefined ? error : new LockHeldError(path, holder);
      }
      closeSync(fd);
    }
  }

  /** Removes the file, then gives the lock back. */
  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    rmSync(this.path, { force: true });
    closeSync(this.#fd);
  }
}

/** The text only helps people; a full disk must not cost the lock. */
function describeHolder(fd: number, text: string): void {
  try {
    ftruncateSync(fd);
    writeSync(fd, `${text}\n`, 0);
  } catch (error) {
    if (!isLinuxError(error, "ENOSPC", "EDQUOT")) throw error;
  }
}

function isFileAt(fd: number, path: string): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  const open = fstatSync(fd);
  return named !== undefined && named.ino === open.ino && named.dev === open.dev;
}

function readText(fd: number): string {
  const buffer = Buffer.alloc(textLimitBytes);
  return buffer.toString("utf8", 0, readSync(fd, buffer, 0, textLimitBytes, 0)).trim();
}
