import type { Exit } from "../lifecycle/states.ts";
import type { OutputLog } from "./output-log.ts";
import type { ProcessIdentity } from "./process-identity.ts";

/** The process of an instance, whether we started it or an earlier control did. */
export interface InstanceProcess {
  readonly identity: ProcessIdentity;
  readonly pid: number;
  readonly output: Pick<OutputLog, "lastLines">;
  /** Fulfilled at the readiness newline; stays open when none comes. */
  readonly ready: Promise<void>;
  /** Fulfilled when it has ended and its output was read. */
  readonly exited: Promise<Exit>;
  /** Asks it to end. */
  terminate(): void;
  /** Ends it, and its whole group unless its children are meant to outlive it. */
  kill(): void;
}
