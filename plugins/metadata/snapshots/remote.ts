import type { Intent } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { Kind, type Info } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { classedError, HostError } from "#proto/wire/errors.ts";
import { quote } from "#proto/wire/identifiers.ts";
import type { Caller } from "../caller.ts";
import { adoptTarget, dropCreate } from "./creation.ts";
import { createOf } from "./intents.ts";
import type { SnapshotParts } from "./parts.ts";
import { refLabel } from "./snapshots.ts";

/**
 * A remote snapshotter refused to prepare a snapshot because it has the target of its ref label: finds that and records
 * it for the namespace. Gives the error for the client: already-exists when the target can now be used.
 */
export async function adoptFromBackEnd(
  parts: SnapshotParts,
  caller: Caller,
  intent: Intent,
  target: string,
): Promise<unknown> {
  const { snapshotter } = createOf(intent);
  try {
    const found = await findTarget(parts, caller, intent, target);
    if (found === undefined) throw classedError("not-found", `target snapshot ${quote(target)} in backend`);
    await parts.database.write((tx) => {
      if (parts.removals.has(`snapshots/${snapshotter}`, found.name)) {
        throw new HostError("unavailable", `target snapshot ${quote(target)} is being collected; try again`);
      }
      adoptTarget(tx, intent, target, found);
    });
    return classedError("already-exists", `target snapshot ${quote(target)} from snapshotter`);
  } catch (error) {
    await parts.database.write((tx) => dropCreate(tx, intent));
    return error;
  }
}

async function findTarget(
  parts: SnapshotParts,
  caller: Caller,
  intent: Intent,
  target: string,
): Promise<Info | undefined> {
  const { snapshotter, backEndParent } = createOf(intent);
  const filter = `labels.${quote(refLabel)}==${quote(target)},parent==${quote(backEndParent)}`;
  for await (const infos of parts.backEnd(snapshotter).list([filter], caller)) {
    // It may not care for filters.
    const found = infos.find(
      ({ kind, labels, parent }) => kind === Kind.COMMITTED && labels[refLabel] === target && parent === backEndParent,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}
