import { HostError } from "#proto/wire/errors.ts";

const fullCodes = ["ENOSPC", "EDQUOT"];

/** Any failure as an error with a class: a full disk is resource-exhausted, another of the system unknown. */
export function diskError(error: unknown): HostError {
  if (error instanceof HostError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (!fullCodes.includes(String(code))) return new HostError("unknown", message, { cause: error });
  const advice = "free space below the snapshotter's root and try again";
  return new HostError("resource-exhausted", `${message}; ${advice}`, { cause: error });
}
