import { formatDuration } from "../config/duration.ts";
import type { Manifest } from "../config/manifest.ts";

/** How far an instance had come when its time was up. */
export interface LateStart {
  readonly manifest: Pick<Manifest, "name" | "readiness">;
  /** Its readiness was seen; only the answer to Init is missing. */
  readonly initializing: boolean;
  /** Its socket's file is there. */
  readonly bound: boolean;
}

/** Why an instance that did not get ready in time is given up, and where to look. */
export function describeLateStart({ manifest, initializing, bound }: LateStart): string {
  const { name, readiness } = manifest;
  const missing = initializing
    ? "Init did not answer"
    : readiness.by === "fd"
      ? "no newline came on BULKHEAD_READY_FD"
      : bound
        ? "its socket does not answer"
        : "it has not bound its socket (BULKHEAD_SOCKET)";
  return (
    `not ready within ${formatDuration(readiness.timeoutMs)}: ${missing}; ` +
    `see bulkhead logs ${name}, or raise readiness.timeout in plugin.yaml`
  );
}
