import type { Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { dropCommit, finishCommit } from "./commit.ts";
import { dropCreate, undoCreate } from "./creation.ts";
import { commitOf, createOf, operationOf, scopeOf } from "./intents.ts";
import type { SnapshotParts } from "./parts.ts";
import type { SnapshotScope } from "./snapshots.ts";

/** How long a snapshotter may take to say how far an operation came. */
const askDeadlineMs = 10_000;

/** What became of an operation: done, still possible, or undone. */
export type Settlement = "finished" | "open" | "undone";

export interface SettleOptions {
  /**
   * Nobody is at it any more, not even the snapshotter, or nobody wants it: a commit that was not carried out is
   * forgotten. Otherwise it stays open, since the snapshotter may still be at it.
   */
  readonly undo: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Settles an operation of unknown outcome by asking the snapshotter. A snapshot whose mounts no client was told goes
 * into the trash; a commit that was carried out is finished. Throws what the snapshotter answers; the intent then stays.
 */
export async function settleIntent(parts: SnapshotParts, intent: Intent, options: SettleOptions): Promise<Settlement> {
  return operationOf(intent).case === "snapshotCreate"
    ? settleCreate(parts, intent, options)
    : settleCommit(parts, intent, options);
}

async function settleCreate(parts: SnapshotParts, intent: Intent, options: SettleOptions): Promise<Settlement> {
  const { snapshotter, backEndKey } = createOf(intent);
  const found = await parts.backEnd(snapshotter).find(backEndKey, callOf(intent, options));
  // One that is not there may come yet: the snapshotter is looked through at the next collection.
  if (found === undefined) parts.doubts.add(snapshotter);
  await parts.database.write((tx) => (found === undefined ? dropCreate(tx, intent) : undoCreate(tx, intent)));
  return "undone";
}

async function settleCommit(parts: SnapshotParts, intent: Intent, options: SettleOptions): Promise<Settlement> {
  const { snapshotter, backEndName } = commitOf(intent);
  const found = await parts.backEnd(snapshotter).find(backEndName, callOf(intent, options));
  if (found !== undefined) {
    await parts.database.write((tx) => finishCommit(tx, intent));
    return "finished";
  }
  if (!options.undo) return "open";
  parts.doubts.add(snapshotter);
  await parts.database.write((tx) => dropCommit(tx, intent));
  return "undone";
}

/**
 * Settles what earlier calls left open of a snapshot, before another operation on it; those going on stay. `isSame`
 * names an earlier try of that operation, which stays open if it was not carried out. Gives whether it was.
 */
export async function settleEarlier(
  parts: SnapshotParts,
  scope: SnapshotScope,
  name: string,
  isSame: (intent: Intent) => boolean = () => false,
): Promise<boolean> {
  let isDone = false;
  for (const intent of parts.intents.touching(scope, name)) {
    if (parts.flights.has(intent)) continue;
    const settlement = await settleIntent(parts, intent, { undo: !isSame(intent) });
    if (settlement === "finished" && isSame(intent)) isDone = true;
  }
  return isDone;
}

function callOf(intent: Intent, { signal }: SettleOptions) {
  return {
    namespace: scopeOf(intent).namespace,
    signal: signal ?? AbortSignal.timeout(askDeadlineMs),
    deadlineMs: Date.now() + askDeadlineMs,
  };
}
