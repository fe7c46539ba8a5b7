import { closeSync } from "node:fs";
import { openFolderEntry, statEntry, type EntryFacts, type EntryName } from "#linux";
import { namesIn } from "../apply/remove-tree.ts";
import { isFolder, isSameEntry, type TreeEntry } from "./same-entry.ts";

/** A folder of the upper tree with those above it, but not the root. */
export interface ParentChain {
  /** Below the root, without a slash at either end. */
  readonly path: string;
  readonly facts: EntryFacts;
  readonly above: ParentChain | undefined;
}

/** What became of one name between two trees; good until the next is asked for. */
export type Change =
  | { readonly kind: "removed"; readonly path: string; readonly parent: ParentChain | undefined }
  | {
      readonly kind: "added" | "modified" | "unmodified";
      readonly path: string;
      readonly parent: ParentChain | undefined;
      readonly entry: TreeEntry;
    };

/**
 * What the upper tree has changed against the lower, names in byte order, a folder right before what it holds
 * (continuity fs/diff.go). Of what is unchanged only files with several names are told. The descriptors are the roots'.
 */
export function changesBetween(lower: number, upper: number): Generator<Change, void, undefined> {
  return inFolder(lower, upper, undefined);
}

function* inFolder(
  lower: number | undefined,
  upper: number,
  parent: ParentChain | undefined,
): Generator<Change, void, undefined> {
  const before = lower === undefined ? [] : namesIn(lower).toSorted(byBytes);
  const after = namesIn(upper).toSorted(byBytes);
  for (let [at, old] = [0, 0]; at < after.length || old < before.length; ) {
    const [name, oldName] = [after[at], before[old]];
    if (name === undefined || (oldName !== undefined && oldName < name)) {
      old++;
      yield { kind: "removed", path: pathOf(parent, oldName ?? ""), parent };
      continue;
    }
    at++;
    if (oldName === name) old++;
    yield* entryChanges(oldName === name ? lower : undefined, upper, name, parent);
  }
}

function byBytes(one: EntryName, other: EntryName): number {
  return one < other ? -1 : 1;
}

function pathOf(parent: ParentChain | undefined, name: EntryName): string {
  return parent === undefined ? name : `${parent.path}/${name}`;
}

function* entryChanges(
  lower: number | undefined,
  upper: number,
  name: EntryName,
  parent: ParentChain | undefined,
): Generator<Change, void, undefined> {
  const path = pathOf(parent, name);
  const facts = statEntry(upper, name);
  const entry = { folder: upper, name, facts };
  const oldFacts = lower === undefined ? undefined : statEntry(lower, name);
  const old = lower === undefined || oldFacts === undefined ? undefined : { folder: lower, name, facts: oldFacts };
  if (old === undefined) yield { kind: "added", path, parent, entry };
  else if (!isSameEntry(old, entry)) yield { kind: "modified", path, parent, entry };
  else if (!isFolder(facts) && facts.links > 1) yield { kind: "unmodified", path, parent, entry };
  if (!isFolder(facts)) return;
  const wasFolder = oldFacts !== undefined && isFolder(oldFacts);
  yield* below(wasFolder ? lower : undefined, upper, name, { path, facts, above: parent });
}

/** Opens both folders for as long as they are walked. */
function* below(
  lower: number | undefined,
  upper: number,
  name: EntryName,
  chain: ParentChain,
): Generator<Change, void, undefined> {
  const upperFd = openFolderEntry(upper, name);
  try {
    const lowerFd = lower === undefined ? undefined : openFolderEntry(lower, name);
    try {
      yield* inFolder(lowerFd, upperFd, chain);
    } finally {
      if (lowerFd !== undefined) closeSync(lowerFd);
    }
  } finally {
    closeSync(upperFd);
  }
}
