import { nanosOf } from "#proto/wire/timestamp.ts";
import type { BackEndCall } from "../caller.ts";
import type { ContentParts } from "../content/begin.ts";
import type { SnapshotParts } from "../snapshots/parts.ts";
import type { TrashStore } from "./trash.ts";

/** How long a back end may take to delete one thing. */
const deleteMs = 30_000;
/** An upload that was written to this lately is someone's, though its lease is gone. */
const busyMs = 60_000;

/** What became of something to delete: gone, in someone's hands, or to be tried again later for another reason. */
export type Deletion = "gone" | "busy" | "later";

/** The namespace that back ends hear of is that of the key, as far as it names one. */
export function collectorCall(key: string, signal: AbortSignal): BackEndCall {
  const [namespace = ""] = key.includes("/") ? key.split("/", 1) : ["default"];
  const limited = AbortSignal.any([signal, AbortSignal.timeout(deleteMs)]);
  return { namespace, signal: limited, deadlineMs: Date.now() + deleteMs };
}

/** Deletes something in its store; what is not there is gone. Throws what the store answers. */
export async function deleteFrom(
  { content, snapshots }: { readonly content: ContentParts; readonly snapshots: SnapshotParts },
  store: TrashStore,
  key: string,
  signal: AbortSignal,
): Promise<Deletion> {
  const call = collectorCall(key, signal);
  if (store === "content") await content.backEnd.delete(key, call);
  else if (store === "ingests") {
    const status = await content.backEnd.findStatus(key, call);
    const writtenMs = status?.updatedAt === undefined ? 0 : Number(nanosOf(status.updatedAt) / 1_000_000n);
    if (Date.now() - writtenMs < busyMs) return "busy";
    await content.backEnd.abort(key, call);
  } else await snapshots.backEnd(snapshotterOf(store)).remove(key, call);
  return "gone";
}

/** The snapshotter of a store of snapshots. */
export function snapshotterOf(store: TrashStore): string {
  return store.slice("snapshots/".length);
}
