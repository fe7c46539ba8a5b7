import type { Reader } from "../../shared/database/reader.ts";
import { tables } from "../database/tables.ts";
import { listIntents, operationOf } from "../snapshots/intents.ts";
import type { TrashStore } from "./trash.ts";

/**
 * Which of these things of a store are referred to, by any namespace or by an open operation. Reads what is
 * committed, without waiting in between.
 */
export function findReferenced(reader: Reader, store: TrashStore, keys: readonly string[]): Set<string> {
  if (store === "content") return referencedBlobs(reader, keys);
  if (store === "ingests") return new Set(keys.filter((key) => isIngestReferenced(reader, key)));
  return referencedSnapshots(reader, store.slice("snapshots/".length), keys);
}

function referencedBlobs(reader: Reader, digests: readonly string[]): Set<string> {
  const open = new Set<string>();
  for (const { value } of reader.range(tables.contentIntent, [])) {
    if (value.operation.case === "contentCommit") open.add(value.operation.value.digest);
  }
  for (const { value } of reader.range(tables.ingest, [])) if (value.shared !== "") open.add(value.shared);
  const namespaces = Array.from(reader.range(tables.namespace, []), ({ value }) => value.name);
  const isHad = (digest: string): boolean =>
    namespaces.some((namespace) => reader.has(tables.blob, [namespace, digest]));
  return new Set(digests.filter((digest) => open.has(digest) || isHad(digest)));
}

/** An open commit needs the upload, though no ingest may name it any more. */
function isIngestReferenced(reader: Reader, storeRef: string): boolean {
  const [namespace = "", , ...rest] = storeRef.split("/");
  const key = [namespace, rest.join("/")];
  return reader.get(tables.ingest, key)?.storeRef === storeRef || reader.has(tables.contentIntent, key);
}

function referencedSnapshots(reader: Reader, snapshotter: string, keys: readonly string[]): Set<string> {
  const open = new Set<string>();
  for (const { case: kind, value } of listIntents(reader).map(operationOf)) {
    if (value.snapshotter !== snapshotter) continue;
    open.add(value.backEndKey);
    open.add(kind === "snapshotCreate" ? value.backEndParent : value.backEndName);
  }
  const isUsed = (key: string): boolean => {
    for (const _ of reader.range(tables.snapshotUse, [snapshotter, key])) return true;
    return false;
  };
  return new Set(keys.filter((key) => open.has(key) || isUsed(key)));
}
