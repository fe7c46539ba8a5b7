import { Kind, type Info } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { compileFilters, filterField, filterLabel, type Filter, type FilterAdaptor } from "#proto/wire/filters.ts";
import type { Entry, Reader } from "../database/reader.ts";
import type { StoredSnapshot } from "./snapshot.ts";
import { tables } from "./tables.ts";

/** Snapshots of one block, and those looked at in one go. */
const blockLimit = 100;

const kindWords: Readonly<Record<Kind, string>> = {
  [Kind.UNKNOWN]: "unknown",
  [Kind.VIEW]: "view",
  [Kind.ACTIVE]: "active",
  [Kind.COMMITTED]: "committed",
};

/** A listing's filters. Throws unknown for one that cannot be read: a proxied snapshotter of containerd answers so. */
export function compileSnapshotFilters(filters: readonly string[]): Filter {
  try {
    return compileFilters(filters);
  } catch (cause) {
    throw new HostError("unknown", (cause as Error).message, { cause });
  }
}

/**
 * Snapshots that pass the filter, in byte order of their names, in blocks of which none is empty. No view of the
 * database is held while a block is sent: what changes meanwhile may or may not show.
 */
export function* listSnapshots(reader: Reader, passes: Filter): Iterable<StoredSnapshot[]> {
  let block: StoredSnapshot[] = [];
  let after: Entry<unknown> | undefined;
  for (;;) {
    const entries = takeEntries(reader, after);
    for (const { value } of entries) {
      const found = value as StoredSnapshot;
      if (passes(adaptorOf(found.info))) block.push(found);
      if (block.length < blockLimit) continue;
      yield block;
      block = [];
    }
    after = entries.at(-1);
    if (entries.length < blockLimit) break;
  }
  if (block.length > 0) yield block;
}

function takeEntries(reader: Reader, after: Entry<unknown> | undefined) {
  const entries = [];
  for (const entry of reader.range(tables.snapshot, [], { after })) {
    entries.push(entry);
    if (entries.length === blockLimit) break;
  }
  return entries;
}

function adaptorOf(info: Info): FilterAdaptor {
  return ([field, ...rest]) => {
    switch (field) {
      case "kind":
        return filterField(kindWords[info.kind]);
      case "name":
        return filterField(info.name);
      case "parent":
        return filterField(info.parent);
      case "labels":
        return filterLabel(info.labels, rest);
      default:
        return filterField(undefined);
    }
  };
}
