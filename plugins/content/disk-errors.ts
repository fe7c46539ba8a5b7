import { HostError } from "bulkhead/plugin";

const fullCodes = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** The errno name of a failed system call; undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return error.code;
}

/**
 * A failed system call on the store as an error with a class: a full disk is resource-exhausted, the rest stays as
 * it is. `what` says what was attempted, as in `write to ingest "x"`.
 */
export function diskError(what: string, error: unknown): Error {
  const code = errnoOf(error);
  if (code !== undefined && fullCodes.has(code)) {
    const message = `${what}: ${messageOf(error)}; free space below the content store's root and try again`;
    return new HostError("resource-exhausted", message, { cause: error });
  }
  if (error instanceof HostError) return error;
  return new HostError("unknown", `${what}: ${messageOf(error)}`, { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
