import { classedError, HostError, type ErrorKind } from "bulkhead/plugin";
import { ConnectionClosed } from "../ttrpc/connection.ts";

/** The classes that containerd 1.6 knows, and their words; what has none of them is unknown. */
const words: Partial<Record<ErrorKind, string>> = {
  "invalid-argument": "invalid argument",
  "not-found": "not found",
  "already-exists": "already exists",
  "failed-precondition": "failed precondition",
  unavailable: "unavailable",
  unimplemented: "not implemented",
};

/**
 * A shim's failure as containerd hands it on (errdefs.FromGRPC): the class by its code, the text with that class's words
 * at its end, once. Ours pass untouched: aborts, deadlines, a closed connection.
 */
export function fromShim(thrown: unknown): unknown {
  if (!(thrown instanceof HostError) || thrown instanceof ConnectionClosed) return thrown;
  const { kind, message } = thrown;
  if (kind === "canceled" || kind === "deadline-exceeded") return thrown;
  const known = words[kind];
  const suffix = `: ${known ?? "unknown"}`;
  const text = message.endsWith(suffix) ? message.slice(0, -suffix.length) : message;
  return known === undefined
    ? new HostError("unknown", `${text}${suffix}`, { cause: thrown })
    : classedError(kind, text, { cause: thrown });
}
