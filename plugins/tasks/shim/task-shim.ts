import type { Client } from "bulkhead/plugin";
import type { Task } from "#proto/gen/containerd/task/v2/task_pb.ts";
import type { Bundle } from "../bundle/bundle.ts";
import type { ProcessExit } from "../process-exit.ts";

/** Takes away what a shim that cannot be spoken with any more has left. */
export interface ShimCleaner {
  /** Gives how the task ended. Throws unknown with what was said, deadline-exceeded. */
  delete(timeoutMs: number): Promise<ProcessExit>;
}

/** A shim of either runtime that is spoken with. Owns: the connection and its logs; shim and bundle live on. */
export interface TaskShim extends Disposable {
  readonly bundle: Bundle;
  readonly program: ShimCleaner;
  /** Its API; failures are as containerd hands them on. */
  readonly task: Client<typeof Task>;
  /** What the text of a failed deletion begins with. */
  readonly deletePrefix: string;
  /** Fulfilled when the connection has ended. */
  readonly closed: Promise<void>;
}
