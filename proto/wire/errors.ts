/** Classes of failure, as containerd's errdefs names them; `status.ts` alone knows their gRPC numbers. */
export type ErrorKind =
  | "canceled"
  | "unknown"
  | "invalid-argument"
  | "deadline-exceeded"
  | "not-found"
  | "already-exists"
  | "permission-denied"
  | "resource-exhausted"
  | "failed-precondition"
  | "aborted"
  | "out-of-range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data-loss"
  | "unauthenticated";

export interface HostErrorOptions extends ErrorOptions {
  /** Sent as google.rpc.ErrorInfo with domain "bulkhead"; see the plugin contract, section 4. */
  readonly info?: { readonly reason: string; readonly metadata: Readonly<Record<string, string>> };
  /** When another try makes sense, in milliseconds; sent as google.rpc.RetryInfo. */
  readonly retryAfterMs?: number;
}

/** A failure with a class. The message says what was attempted, on what, and why it failed. */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly kind: ErrorKind;
  readonly info: HostErrorOptions["info"];
  readonly retryAfterMs: number | undefined;

  constructor(kind: ErrorKind, message: string, options: HostErrorOptions = {}) {
    super(message, options);
    this.kind = kind;
    this.info = options.info;
    this.retryAfterMs = options.retryAfterMs;
  }
}

const classWords: Partial<Record<ErrorKind, string>> = {
  "invalid-argument": "invalid argument",
  "not-found": "not found",
  "already-exists": "already exists",
  "failed-precondition": "failed precondition",
  unavailable: "unavailable",
  unimplemented: "not implemented",
};

/** An error whose text ends in containerd 1.6's class words, as in `image "x": not found`. */
export function classedError(kind: ErrorKind, message: string, options?: HostErrorOptions): HostError {
  const words = classWords[kind];
  return new HostError(kind, words === undefined ? message : `${message}: ${words}`, options);
}

/** Whether `error` is a HostError, of the given kind if one is named. */
export function isHostError(error: unknown, kind?: ErrorKind): error is HostError {
  return error instanceof HostError && (kind === undefined || error.kind === kind);
}
