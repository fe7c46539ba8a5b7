import { isLinuxError } from "#linux";
import { HostError } from "#proto/wire/errors.ts";
import { toHostError } from "#proto/wire/status.ts";

const fullCodes = ["ENOSPC", "EDQUOT"];

/** A failed system call with a class: a full disk is resource-exhausted, others are unknown. */
export function diskError(what: string, error: unknown): HostError {
  if (error instanceof HostError || !isLinuxError(error)) return toHostError(error);
  if (fullCodes.includes(error.code)) {
    const message = `${what}: ${error.message}; free space or inodes on the snapshotter's disk and try again`;
    return new HostError("resource-exhausted", message, { cause: error });
  }
  return new HostError("unknown", `${what}: ${error.message}`, { cause: error });
}
