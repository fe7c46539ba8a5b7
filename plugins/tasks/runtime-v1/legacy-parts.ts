import type { Hierarchies } from "../../shared/cgroups/hierarchies.ts";
import type { RuntimeParts } from "../tasks/runtime-parts.ts";
import type { LegacyOptions } from "./options.ts";
import type { TaskEvents } from "./task-events.ts";

/** What runtime v1 needs beside what all tasks do; its bundles have folders of their own. */
export interface LegacyParts extends RuntimeParts {
  /** Absolute path. */
  readonly shim: string;
  /** What containers without options of their own get. */
  readonly options: LegacyOptions;
  readonly isDebugged: boolean;
  readonly events: TaskEvents;
  /** Where groups are, for metrics. */
  readonly hierarchies: Hierarchies;
}
