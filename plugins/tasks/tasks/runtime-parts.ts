import type { Log } from "bulkhead/plugin";
import type { BundleRoots } from "../bundle/bundle.ts";
import type { BegunStarts } from "../exits/begun-starts.ts";
import type { LostTasks } from "../exits/lost-tasks.ts";
import type { Tombstones } from "../exits/tombstones.ts";
import type { SearchPlaces } from "../shim/runtime-path.ts";
import type { ShimHost } from "../shim/shim-program.ts";
import type { TaskTable } from "./task-table.ts";

/** Milliseconds; containerd's `timeouts` keys, and ours for a start. */
export interface RuntimeTimeouts {
  /** Until a shim's `start` has printed its address. */
  readonly startMs: number;
  /** io.containerd.timeout.shim.cleanup: its `delete`. */
  readonly cleanupMs: number;
  /** io.containerd.timeout.shim.load: an answer of one that was found after a restart. */
  readonly loadMs: number;
  /** io.containerd.timeout.shim.shutdown */
  readonly shutdownMs: number;
  /** io.containerd.timeout.task.state */
  readonly stateMs: number;
}

/** What the life of a task needs of the rest. */
export interface RuntimeParts {
  readonly roots: BundleRoots;
  readonly host: ShimHost;
  readonly places: () => SearchPlaces;
  readonly timeouts: RuntimeTimeouts;
  readonly tasks: TaskTable;
  readonly tombstones: Tombstones;
  readonly lost: LostTasks;
  readonly starts: BegunStarts;
  readonly log: Log;
  /** Aborted when the package stops: shims are left alone from then on. */
  readonly signal: AbortSignal;
}

/** When a step that may take that long has to be done, milliseconds since the epoch. */
export function deadlineIn(ms: number): { readonly deadlineMs: number } {
  return { deadlineMs: Date.now() + ms };
}
