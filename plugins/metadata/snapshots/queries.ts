import { create } from "@bufbuild/protobuf";
import type { Snapshot } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { InfoSchema, Kind, type Info } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { classedError } from "#proto/wire/errors.ts";
import { parseMaskPath, updateEntry } from "#proto/wire/field-mask.ts";
import { filterField, filterLabel, type Filter, type FilterAdaptor } from "#proto/wire/filters.ts";
import { quote } from "#proto/wire/identifiers.ts";
import { validateLabels } from "#proto/wire/labels.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import type { Caller } from "../caller.ts";
import { tables } from "../database/tables.ts";
import { recordBlocks } from "../listing.ts";
import type { SnapshotParts } from "./parts.ts";
import { getSnapshot, inheritedLabels, putSnapshot, type SnapshotScope } from "./snapshots.ts";

type Labels = Readonly<Record<string, string>>;

const blockLimit = 100;
const maskRules = { whole: ["labels"], keyed: ["labels"] };

/** Throws not-found: here, or in the snapshotter's words. */
export async function statSnapshot(
  parts: SnapshotParts,
  caller: Caller,
  scope: SnapshotScope,
  key: string,
): Promise<Info> {
  const snapshot = getSnapshot(parts.database, scope, key);
  return merge(await parts.backEnd(scope.snapshotter).stat(snapshot.backEndKey, caller), snapshot);
}

/** Replaces labels: those named by `paths`; none: all. Throws not-found, invalid-argument. */
export async function updateSnapshot(
  parts: SnapshotParts,
  caller: Caller,
  scope: SnapshotScope,
  { name, labels }: { readonly name: string; readonly labels: Labels },
  paths: readonly string[],
): Promise<Info> {
  const stored = getSnapshot(parts.database, scope, name);
  const wanted = maskLabels(stored, labels, paths);
  const backEnd = parts.backEnd(scope.snapshotter);
  const info = await backEnd.update(stored.backEndKey, inheritedLabels(wanted), paths, caller);
  const updated = await parts.database.write((tx) => {
    const current = getSnapshot(tx, scope, name);
    const now = timestampNow();
    return putSnapshot(tx, scope, {
      ...current,
      labels: maskLabels(current, labels, paths),
      createdAt: current.createdAt ?? now,
      updatedAt: now,
    });
  });
  return merge(info, updated);
}

/**
 * Snapshots of a namespace that pass the filter, in blocks, in byte order of their keys. The snapshotter is asked once
 * for all it has; what it lacks is left out.
 */
export async function* listSnapshots(
  parts: SnapshotParts,
  caller: Caller,
  scope: SnapshotScope,
  filter: Filter,
): AsyncGenerator<Info[], void, undefined> {
  const { database } = parts;
  const infos = new Map<string, Info>();
  for await (const block of parts.backEnd(scope.snapshotter).list([], caller)) {
    for (const info of block) infos.set(info.name, info);
  }
  let block: Info[] = [];
  for (const snapshots of recordBlocks(database, tables.snapshot, [scope.namespace, scope.snapshotter])) {
    for (const snapshot of snapshots) {
      const info = infos.get(snapshot.backEndKey);
      if (info === undefined) continue;
      const merged = merge(info, snapshot);
      if (filter(infoAdaptor(merged))) block.push(merged);
      if (block.length < blockLimit) continue;
      yield block;
      block = [];
    }
  }
  if (block.length > 0) yield block;
}

/** Kind from the snapshotter, its labels below the stored ones, everything else as stored. */
function merge(info: Info, { key, parent, labels, createdAt, updatedAt }: Snapshot): Info {
  const kind = info.kind === Kind.UNKNOWN ? Kind.COMMITTED : info.kind;
  return create(InfoSchema, {
    name: key,
    parent,
    kind,
    labels: { ...info.labels, ...labels },
    ...(createdAt && { createdAt }),
    ...(updatedAt && { updatedAt }),
  });
}

function maskLabels(stored: Snapshot, labels: Labels, paths: readonly string[]): Labels {
  const masked = (paths.length === 0 ? ["labels"] : paths).reduce<Labels>((kept, path) => {
    const mask = parseMaskPath(path, maskRules);
    if (mask === undefined) {
      throw classedError("invalid-argument", `cannot update ${quote(path)} field on snapshot ${quote(stored.key)}`);
    }
    return mask.key === undefined ? labels : updateEntry(kept, labels, mask.key);
  }, stored.labels);
  validateLabels("info.Labels", masked);
  return masked;
}

const kindNames: Readonly<Record<number, string>> = { [Kind.VIEW]: "view", [Kind.ACTIVE]: "active" };

/** What filters see of a snapshot. */
function infoAdaptor({ kind, name, parent, labels }: Pick<Info, "name" | "parent" | "labels" | "kind">): FilterAdaptor {
  return ([field, ...rest]) => {
    switch (field) {
      case "kind":
        return filterField(kindNames[kind] ?? "committed");
      case "name":
        return filterField(name);
      case "parent":
        return filterField(parent);
      case "labels":
        return filterLabel(labels, rest);
      default:
        return filterField(undefined);
    }
  };
}
