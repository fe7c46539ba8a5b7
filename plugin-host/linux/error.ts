import { constants } from "node:os";

export interface LinuxErrorFacts {
  /** The number the kernel gave, positive. */
  readonly errno: number;
  /** The call that failed, like "mount". */
  readonly syscall: string;
  /** What it was about: a path or a few words. */
  readonly path?: string | undefined;
}

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** Name of an errno, like "ENOENT"; "E<number>" for one that Node does not know. */
export function errnoName(errno: number): string {
  // Node lists EAGAIN's twin under the same number on Linux; one name is kept so that callers compare one.
  return errno === constants.errno.EAGAIN ? "EAGAIN" : (names.get(errno) ?? `E${errno}`);
}

/** A Linux call that failed. Shaped like Node's own system errors: `code`, `errno`, `syscall`, `path`. */
export class LinuxError extends Error {
  override readonly name = "LinuxError";
  /** Like "ENOENT". */
  readonly code: string;
  /** Positive, unlike Node's. */
  readonly errno: number;
  readonly syscall: string;
  readonly path: string | undefined;

  constructor(facts: LinuxErrorFacts) {
    const code = errnoName(facts.errno);
    super(`${facts.syscall}${facts.path === undefined ? "" : ` ${facts.path}`}: ${code}`);
    this.code = code;
    this.errno = facts.errno;
    this.syscall = facts.syscall;
    this.path = facts.path;
  }
}

/** Whether `error` is a failed system call, ours or Node's, with one of the codes (any, if none is named). */
export function isLinuxError(error: unknown, ...codes: readonly string[]): error is Error & { readonly code: string } {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return false;
  return codes.length === 0 || codes.includes(error.code);
}
