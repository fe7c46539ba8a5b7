import { isLinuxError } from "#linux";

/** The daemon cannot start; the message is for a person and says what to do. Exit code 1 unless it says otherwise. */
export class StartFailure extends Error {
  override readonly name = "StartFailure";
  readonly exitCode: number;

  constructor(message: string, options: ErrorOptions & { readonly exitCode?: number } = {}) {
    super(message, options);
    this.exitCode = options.exitCode ?? 1;
  }
}

const causes: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  ENOTDIR: "a part of the path is not a folder",
  EEXIST: "something that is no folder is in the way",
  ENOENT: "no such file or directory",
  EIO: "input/output error",
  EMFILE: "too many open files",
  EADDRINUSE: "address already in use",
};

/** A failed system call in words, with its code, like "read-only file system (EROFS)"; else the error's message. */
export function describeCause(error: unknown): string {
  if (!isLinuxError(error)) return error instanceof Error ? error.message : String(error);
  const words = causes[error.code];
  return words === undefined ? error.message : `${words} (${error.code})`;
}
