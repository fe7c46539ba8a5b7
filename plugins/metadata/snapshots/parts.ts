import type { Peers } from "bulkhead/plugin";
import type { Database } from "../../shared/database/database.ts";
import type { Removals } from "../gc/removals.ts";
import { SnapshotterBackEnd } from "./back-end.ts";
import type { CallWatch } from "./call-watch.ts";
import { Flights } from "./flights.ts";
import { BackEndNumbers } from "./numbers.ts";
import { OpenIntents } from "./open-intents.ts";
import { defaultLimits, type CallLimits } from "./peers.ts";

/** What snapshot calls work with. */
export interface SnapshotParts {
  readonly database: Database;
  /** Throws invalid-argument for no name or one that is not loaded, unavailable for one that has failed. */
  readonly backEnd: (snapshotter: string) => SnapshotterBackEnd;
  readonly flights: Flights;
  readonly intents: OpenIntents;
  readonly numbers: BackEndNumbers;
  readonly removals: Removals;
  /** Snapshotters that may hold what nobody knows of; the next collection looks through them. */
  readonly doubts: Set<string>;
  /** Hears of each step of an operation; tests end the process there. */
  readonly onStep?: (step: SnapshotStep) => void;
}

/** What is on disk: the intent, the back end's part, the records. */
export type SnapshotStep = "snapshot-intent-stored" | "snapshotter-done" | "snapshot-recorded";

export interface SnapshotOptions {
  readonly removals: Removals;
  readonly limits?: CallLimits;
  readonly onStep?: (step: SnapshotStep) => void;
}

/** The parts over a database and the peers of type `io.containerd.snapshotter.v1`. */
export function openSnapshots(
  peers: Peers,
  database: Database,
  watch: CallWatch,
  { removals, limits = defaultLimits, onStep }: SnapshotOptions,
): SnapshotParts {
  const intents = new OpenIntents(database);
  database.onChanges((tx) => intents.hear(tx.written));
  return {
    database,
    backEnd: (snapshotter) => new SnapshotterBackEnd(peers, snapshotter, watch, limits),
    flights: new Flights(),
    intents,
    numbers: new BackEndNumbers(database),
    removals,
    doubts: new Set(),
    ...(onStep && { onStep }),
  };
}
