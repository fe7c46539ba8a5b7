import { isHostError, type Log } from "bulkhead/plugin";
import type { Trash } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import type { ContentParts } from "../content/begin.ts";
import type { SnapshotParts } from "../snapshots/parts.ts";
import { collectorCall, deleteFrom, snapshotterOf, type Deletion } from "./back-ends.ts";
import type { OwnWrites } from "./own-writes.ts";
import { findReferenced } from "./references.ts";
import type { Removals } from "./removals.ts";
import { Slices } from "./slices.ts";
import { deferTrash, dropTrash, listTrash, type TrashStore } from "./trash.ts";

/** Deletions that a back end is asked for at once. */
const atOnce = 8;

export interface EmptyingParts {
  readonly content: ContentParts;
  readonly snapshots: SnapshotParts;
  readonly removals: Removals;
  readonly own: OwnWrites;
  readonly log: Log;
}

/** What was done with one store's trash. */
export interface Emptied {
  readonly deleted: number;
  /** Entries that have to be tried again later. */
  readonly left: number;
}

/**
 * Deletes a store's trash in the back end, outside of any transaction: children before their parents, each looked at
 * again first, since it may have become needed. What cannot be deleted stays for the next time.
 */
export async function emptyTrash(
  parts: EmptyingParts,
  store: TrashStore,
  onDeleted: () => void,
  signal: AbortSignal,
): Promise<Emptied> {
  const slices = new Slices();
  const queue = new DeletionOrder();
  for (const entries of listTrash(parts.content.database, store)) {
    queue.add(entries);
    await slices.pause(signal);
  }
  queue.begin();
  let [deleted, left] = [0, 0];
  let isAway = !isLoaded(parts, store);
  for (let batch = queue.take(isAway ? 0 : atOnce); batch.length > 0; batch = queue.take(isAway ? 0 : atOnce)) {
    if (signal.aborted) break;
    const outcomes = await deleteBatch(parts, store, batch, signal);
    isAway = outcomes.includes("away");
    for (const [index, entry] of batch.entries()) {
      if (isLeft(outcomes[index])) left++;
      else queue.gone(entry);
      if (outcomes[index] !== "gone") continue;
      deleted++;
      onDeleted();
    }
  }
  if (deleted > 0 && !isAway && store.startsWith("snapshots/") && !signal.aborted) await cleanUp(parts, store, signal);
  return { deleted, left: left + queue.size };
}

/** Needed after all, or its back end is not there to be asked: no use in asking for the next. */
type Outcome = Deletion | "needed" | "away";

function isLeft(outcome: Outcome | undefined): boolean {
  return outcome === "later" || outcome === "busy" || outcome === "away";
}

/** What a snapshotter holds that is not configured any more waits until it is. */
function isLoaded({ snapshots }: EmptyingParts, store: TrashStore): boolean {
  if (!store.startsWith("snapshots/")) return true;
  try {
    snapshots.backEnd(snapshotterOf(store));
    return true;
  } catch {
    return false;
  }
}

async function deleteBatch(
  parts: EmptyingParts,
  store: TrashStore,
  batch: readonly Trash[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  const { removals } = parts;
  const { database } = parts.content;
  // Looked at and marked in one go: no transaction runs in between.
  const keys = batch.map(({ key }) => key);
  const needed = findReferenced(database, store, keys);
  const doomed = keys.filter((key) => !needed.has(key));
  for (const key of doomed) removals.begin(store, key);
  try {
    const outcomes = await Promise.all(
      keys.map(
        (key): Promise<Outcome> => (needed.has(key) ? Promise.resolve("needed") : deleteOne(parts, store, key, signal)),
      ),
    );
    await parts.own.write(database, (tx) => {
      for (const [index, key] of keys.entries()) {
        if (outcomes[index] === "busy") deferTrash(tx, store, key);
        else if (!isLeft(outcomes[index])) dropTrash(tx, store, key);
      }
    });
    return outcomes;
  } finally {
    for (const key of doomed) removals.end(store, key);
  }
}

async function deleteOne(parts: EmptyingParts, store: TrashStore, key: string, signal: AbortSignal): Promise<Outcome> {
  try {
    return await deleteFrom(parts, store, key, signal);
  } catch (error) {
    // A child that is not ours to delete, or not deleted yet, keeps its parent.
    const level = isHostError(error, "failed-precondition") ? "debug" : "warn";
    if (!signal.aborted) parts.log[level]("garbage not deleted", { store, key, error: String(error) });
    return isHostError(error, "unavailable") || isHostError(error, "deadline-exceeded") ? "away" : "later";
  }
}

async function cleanUp({ snapshots, log }: EmptyingParts, store: TrashStore, signal: AbortSignal): Promise<void> {
  try {
    await snapshots.backEnd(snapshotterOf(store)).cleanup(collectorCall("default", signal));
  } catch (error) {
    if (!signal.aborted) log.warn("snapshotter not cleaned up", { store, error: String(error) });
  }
}

/** Entries in an order in which children come before their parents; pure. */
class DeletionOrder {
  readonly #entries = new Map<string, Trash>();
  readonly #children = new Map<string, number>();
  readonly #ready: Trash[] = [];

  add(entries: readonly Trash[]): void {
    for (const entry of entries) {
      this.#entries.set(entry.key, entry);
      if (entry.parent !== "") this.#children.set(entry.parent, (this.#children.get(entry.parent) ?? 0) + 1);
    }
  }

  /** After the last was added. */
  begin(): void {
    for (const entry of this.#entries.values()) if (!this.#children.has(entry.key)) this.#ready.push(entry);
  }

  /** Entries that wait for their children. */
  get size(): number {
    return this.#entries.size;
  }

  /** Some that have no children left. */
  take(limit: number): Trash[] {
    const batch = this.#ready.splice(0, limit);
    for (const { key } of batch) this.#entries.delete(key);
    return batch;
  }

  /** An entry that was taken is gone: its parent may be next. */
  gone({ parent }: Trash): void {
    const left = (this.#children.get(parent) ?? 0) - 1;
    this.#children.set(parent, left);
    const above = this.#entries.get(parent);
    if (left === 0 && above !== undefined) this.#ready.push(above);
  }
}
