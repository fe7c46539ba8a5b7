import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Kind } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { openRecords } from "../../../plugins/shared/snapshots/open-records.ts";
import { tables } from "../../../plugins/shared/snapshots/tables.ts";
import { layouts, type Layout } from "./snapshot-layouts.ts";

export interface BackEndSnapshot {
  /** Key of its parent; empty: none. */
  readonly parent: string;
}

export interface WalkedSnapshotter {
  /** By the snapshotter's own key. */
  readonly snapshots: ReadonlyMap<string, BackEndSnapshot>;
  readonly problems: readonly string[];
}

/**
 * Compares the records of a snapshotter that nobody serves any more with its folders; undefined for one of unknown layout
 * or without records.
 */
export async function walkSnapshotter(name: string, root: string): Promise<WalkedSnapshotter | undefined> {
  const layout: Layout | undefined = Object.entries(layouts).find(([each]) => each === name)?.[1];
  if (layout === undefined || !existsSync(join(root, "metadata.lmdb"))) return undefined;
  await using records = await openRecords(root);
  const rows = Array.from(records.range(tables.snapshot, []), ({ value }) => value);
  const problems: string[] = [];
  const expected = new Set<string>();
  for (const { id, info } of rows) {
    const kind = info?.kind ?? Kind.UNKNOWN;
    const isBare = layout.viewsAreBare === true && kind === Kind.VIEW && info?.parent !== "";
    const folder = layout.folderOf(kind);
    if (!isBare) expected.add(`${folder}/${id}`);
    if (!isBare && !existsSync(join(root, folder, `${id}`))) problems.push(`${name}: ${info?.name} has no folder`);
  }
  for (const folder of layout.folders) {
    const ids = await readdir(join(root, folder)).catch(() => []);
    for (const id of ids) {
      if (!expected.has(`${folder}/${id}`)) problems.push(`${name}: the folder ${folder}/${id} is nobody's`);
    }
  }
  const snapshots = new Map(rows.map(({ info }) => [info?.name ?? "", { parent: info?.parent ?? "" }]));
  return { snapshots, problems };
}
