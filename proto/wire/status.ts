import { HostError, type ErrorKind } from "./errors.ts";

const codes = {
  canceled: 1,
  unknown: 2,
  "invalid-argument": 3,
  "deadline-exceeded": 4,
  "not-found": 5,
  "already-exists": 6,
  "permission-denied": 7,
  "resource-exhausted": 8,
  "failed-precondition": 9,
  aborted: 10,
  "out-of-range": 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  "data-loss": 15,
  unauthenticated: 16,
} as const satisfies Record<ErrorKind, number>;

const kinds = new Map<number, ErrorKind>(Object.entries(codes).map(([kind, code]) => [code, kind as ErrorKind]));

/** The gRPC status code of an error class. */
export function codeOf(kind: ErrorKind): number {
  return codes[kind];
}

/** The error class of a gRPC status code; "unknown" for codes outside 1 to 16. */
export function kindOf(code: number): ErrorKind {
  return kinds.get(code) ?? "unknown";
}

/** Any thrown value as a HostError: one passes untouched, an abort becomes "canceled", the rest "unknown". */
export function toHostError(thrown: unknown): HostError {
  if (thrown instanceof HostError) return thrown;
  if (thrown instanceof Error && thrown.name === "AbortError") {
    return new HostError("canceled", "context canceled", { cause: thrown });
  }
  if (thrown instanceof Error && thrown.name === "TimeoutError") {
    return new HostError("deadline-exceeded", "context deadline exceeded", { cause: thrown });
  }
  return new HostError("unknown", thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}
