import type { Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { SnapshotPrepareSchema, SnapshotRemoveSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { HostError, isHostError } from "#proto/wire/errors.ts";
import { validateLabels } from "#proto/wire/labels.ts";
import type { Caller } from "../caller.ts";
import { leavesOpen, type Mounts } from "./back-end.ts";
import { beginCommit, dropCommit, finishCommit, type CommitPlan } from "./commit.ts";
import { beginCreate, dropCreate, finishCreate, undoCreate, type CreatePlan } from "./creation.ts";
import { commitOf, createOf } from "./intents.ts";
import type { SnapshotParts } from "./parts.ts";
import { adoptFromBackEnd } from "./remote.ts";
import { settleEarlier, settleIntent } from "./settlement.ts";
import { inheritedLabels, refLabel, removeSnapshot, type SnapshotScope } from "./snapshots.ts";

/** Writable, or read-only. */
export type CreateKind = "prepare" | "view";

/**
 * Makes a snapshot in both stores: the intent, the back end's, the record. Throws already-exists, not-found,
 * invalid-argument, and what the snapshotter answers; after an unknown outcome nothing stays.
 */
export async function createSnapshot(
  parts: SnapshotParts,
  caller: Caller,
  kind: CreateKind,
  plan: Omit<CreatePlan, "number">,
): Promise<Mounts> {
  const { database, flights, numbers } = parts;
  const { scope, key, labels } = plan;
  validateLabels("info.Labels", labels);
  const backEnd = parts.backEnd(scope.snapshotter);
  await settleEarlier(parts, scope, key);
  const number = await numbers.next(scope);
  const intent = await unlessRefused(parts, scope, number, () =>
    database.reserve((tx) => {
      const begun = beginCreate(tx, { ...plan, number });
      flights.begin(begun);
      return begun;
    }),
  );
  try {
    parts.onStep?.("snapshot-intent-stored");
    const { backEndKey, backEndParent } = createOf(intent);
    const wanted = { key: backEndKey, parent: backEndParent, labels: inheritedLabels(labels) };
    let mounts: Mounts;
    try {
      mounts = await backEnd[kind](wanted, caller);
    } catch (error) {
      throw await failedCreate(parts, caller, intent, error);
    }
    parts.onStep?.("snapshotter-done");
    await recordCreated(parts, intent, kind);
    parts.onStep?.("snapshot-recorded");
    return mounts;
  } finally {
    flights.end(intent);
  }
}

/** A first transaction; the number is taken back where it refuses, since clients see the numbers in errors. */
async function unlessRefused(
  { numbers }: SnapshotParts,
  scope: SnapshotScope,
  number: bigint,
  begin: () => Promise<Intent>,
): Promise<Intent> {
  try {
    return await begin();
  } catch (error) {
    numbers.giveBack(scope, number);
    throw error;
  }
}

/** A snapshot that cannot be recorded after all is taken back. */
async function recordCreated({ database }: SnapshotParts, intent: Intent, kind: CreateKind): Promise<void> {
  const { key, parent } = createOf(intent);
  try {
    await database.write((tx) => {
      finishCreate(tx, intent);
      if (kind === "prepare") {
        tx.publish(intent.namespace, "/snapshot/prepare", SnapshotPrepareSchema, { key, parent });
      }
    });
  } catch (error) {
    await database.write((tx) => undoCreate(tx, intent));
    throw error;
  }
}

/** Undoes what the snapshotter refused, or may have done; gives the error for the client. */
async function failedCreate(parts: SnapshotParts, caller: Caller, intent: Intent, error: unknown): Promise<unknown> {
  if (leavesOpen(error)) {
    await settleLater(parts, intent);
    return error;
  }
  if (!isHostError(error, "already-exists")) {
    await parts.database.write((tx) => dropCreate(tx, intent));
    return error;
  }
  const target = createOf(intent).labels[refLabel] ?? "";
  if (target !== "") return adoptFromBackEnd(parts, caller, intent, target);
  await parts.database.write((tx) => dropCreate(tx, intent));
  // The key was new: whatever this means, the client's key is not taken.
  return new HostError("unknown", `unexpected error from snapshotter: ${error.message}: unknown`);
}

/** Commits an active snapshot in both stores. Throws already-exists, not-found, and what the snapshotter answers. */
export async function commitSnapshot(
  parts: SnapshotParts,
  caller: Caller,
  plan: Omit<CommitPlan, "number">,
): Promise<void> {
  const { database, flights, numbers } = parts;
  const { scope, name, key, labels } = plan;
  validateLabels("info.Labels", labels);
  const backEnd = parts.backEnd(scope.snapshotter);
  const isSame = (intent: Intent): boolean =>
    intent.operation.case === "snapshotCommit" &&
    intent.operation.value.name === name &&
    intent.operation.value.key === key;
  await flights.landed(parts.intents, scope, key, caller.signal);
  for (const touched of [key, name]) if (await settleEarlier(parts, scope, touched, isSame)) return;
  const number = await numbers.next(scope);
  const intent = await unlessRefused(parts, scope, number, () =>
    database.write((tx) => {
      const begun = beginCommit(tx, { ...plan, number });
      flights.begin(begun);
      return begun;
    }),
  );
  try {
    parts.onStep?.("snapshot-intent-stored");
    const { backEndName, backEndKey } = commitOf(intent);
    try {
      await backEnd.commit(backEndName, backEndKey, inheritedLabels(labels), caller);
    } catch (error) {
      if (!(await failedCommit(parts, intent, error))) throw error;
    }
    parts.onStep?.("snapshotter-done");
    await database.write((tx) => finishCommit(tx, intent));
    parts.onStep?.("snapshot-recorded");
  } finally {
    flights.end(intent);
  }
}

/** Whether the snapshotter has committed it all the same. */
async function failedCommit(parts: SnapshotParts, intent: Intent, error: unknown): Promise<boolean> {
  // An earlier try may have come through meanwhile: then the key is gone, or the name is there.
  if (leavesOpen(error) || isHostError(error, "not-found") || isHostError(error, "already-exists")) {
    const settled = await settleLater(parts, intent);
    if (settled !== "open" || leavesOpen(error)) return settled === "finished";
  }
  await parts.database.write((tx) => dropCommit(tx, intent));
  return false;
}

/** Settles now if the snapshotter answers; else it stays open, for the next call that touches it. */
async function settleLater(parts: SnapshotParts, intent: Intent) {
  try {
    return await settleIntent(parts, intent, { undo: false });
  } catch {
    return "open"; // what the snapshotter did last is what the client is told
  }
}

/** Removes a snapshot; its data goes with the next collection. Throws not-found, failed-precondition. */
export async function removeSnapshotOf(
  parts: SnapshotParts,
  caller: Caller,
  scope: SnapshotScope,
  key: string,
): Promise<void> {
  parts.backEnd(scope.snapshotter);
  await parts.flights.landed(parts.intents, scope, key, caller.signal);
  await settleEarlier(parts, scope, key);
  await parts.database.write((tx) => {
    removeSnapshot(tx, scope, caller.lease, key);
    tx.publish(scope.namespace, "/snapshot/remove", SnapshotRemoveSchema, { key });
  });
}
