import type { Transaction } from "../../shared/database/transaction.ts";
import { ImageDeleteSchema } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { tables } from "../database/tables.ts";
import { discardSnapshot, findSnapshot } from "../snapshots/snapshots.ts";
import type { ChangeLog } from "./change-log.ts";
import type { EmptyingParts } from "./emptying.ts";
import type { Graph } from "./graph.ts";
import { namedBy, type Node } from "./nodes.ts";
import { linksOf } from "./records.ts";
import type { Slices } from "./slices.ts";
import { putTrash } from "./trash.ts";

/** Objects removed in one transaction: some milliseconds. */
const batchLimit = 50;

/** What a mark found. */
export interface Marked {
  readonly unreachable: readonly Node[];
  readonly graph: Graph;
}

/**
 * Removes objects of a namespace that nothing keeps, in their order, in short transactions. Each first takes out what
 * has been kept since, with all that refers to. Gives how many were removed.
 */
export async function sweep(
  { content, own }: Pick<EmptyingParts, "content" | "own">,
  log: ChangeLog,
  namespace: string,
  { unreachable, graph }: Marked,
  slices: Slices,
): Promise<number> {
  const dead = new Set(unreachable);
  let removed = 0;
  while (dead.size > 0) {
    removed += await slices.wait(() =>
      own.write(content.database, (tx) => {
        const begunMs = performance.now();
        for (const node of log.take(namespace)) keep(tx, namespace, { dead, graph }, node);
        const batch = [...firstOf(dead, batchLimit)];
        for (const node of batch) {
          removeNode(tx, namespace, node);
          dead.delete(node);
        }
        slices.add(performance.now() - begunMs);
        return batch.length;
      }),
    );
  }
  return removed;
}

/** What is kept now, and all that it keeps: what was not dead before has kept its own already, but for a new object. */
function keep(
  tx: Transaction,
  namespace: string,
  { dead, graph }: { readonly dead: Set<Node>; readonly graph: Graph },
  from: Node,
): void {
  const waiting = [from];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const wasDead = dead.delete(node);
    if (wasDead) waiting.push(...linksOf(tx, namespace, node));
    if (wasDead || node === from) waiting.push(...graph.keptBy(node).filter((kept) => dead.has(kept)));
  }
}

function* firstOf<T>(items: Iterable<T>, limit: number): Iterable<T> {
  let left = limit;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}

function removeNode(tx: Transaction, namespace: string, node: Node): void {
  const named = namedBy(node);
  switch (named.kind) {
    case "blob":
      tx.remove(tables.blob, [namespace, named.digest]);
      putTrash(tx, "content", named.digest);
      return;
    case "snapshot": {
      const snapshot = findSnapshot(tx, { namespace, snapshotter: named.snapshotter }, named.key);
      if (snapshot !== undefined) discardSnapshot(tx, { namespace, snapshotter: named.snapshotter }, snapshot);
      return;
    }
    case "ingest": {
      const ingest = tx.get(tables.ingest, [namespace, named.ref]);
      tx.remove(tables.ingest, [namespace, named.ref]);
      if (ingest !== undefined) putTrash(tx, "ingests", ingest.storeRef);
      return;
    }
    case "image":
      tx.remove(tables.image, [namespace, named.name]);
      tx.publish(namespace, "/images/delete", ImageDeleteSchema, { name: named.name });
      return;
    case "lease":
      tx.remove(tables.lease, [namespace, named.id]);
      tx.removeRange(tables.leaseResource, [namespace, named.id]);
      return;
    case "container": // is never collected
  }
}
