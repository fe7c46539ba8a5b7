import type { Info } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { identifierProblem } from "#proto/wire/identifiers.ts";
import { nanosOf } from "#proto/wire/timestamp.ts";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Reader } from "../../shared/database/reader.ts";
import { tables } from "../database/tables.ts";
import { snapshotCounter } from "../snapshots/intents.ts";
import { collectorCall } from "./back-ends.ts";
import type { EmptyingParts } from "./emptying.ts";
import { findReferenced } from "./references.ts";
import { Slices } from "./slices.ts";
import { putTrash, type TrashStore } from "./trash.ts";

/** Entries put into the trash in one transaction. */
const batchLimit = 50;

/** Something that a back end has. */
interface Found {
  readonly key: string;
  readonly parent: string;
}

/**
 * Looks through a snapshotter for what crashes and late answers left there: keys of our making that nobody refers to,
 * which go into the trash. Everything it lists was begun by an intent before, so whoever made it is known by now.
 */
export async function scrubSnapshotter(
  parts: EmptyingParts,
  snapshotter: string,
  startMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { database } = parts.snapshots;
  const found: Found[] = [];
  for await (const infos of parts.snapshots.backEnd(snapshotter).list([], collectorCall("default", signal))) {
    for (const info of infos) {
      if (isOurs(database, snapshotter, info, startMs)) found.push({ key: info.name, parent: info.parent });
    }
  }
  await trashUnknown(parts, `snapshots/${snapshotter}`, found, signal);
}

/** The same for the content store: blobs and uploads from before this process that nobody refers to. */
export async function scrubContent(parts: EmptyingParts, startMs: number, signal: AbortSignal): Promise<void> {
  const call = collectorCall("default", signal);
  const blobs: Found[] = [];
  for await (const infos of parts.content.backEnd.list(call)) {
    for (const { digest, createdAt } of infos)
      if (isBefore(createdAt, startMs)) blobs.push({ key: digest, parent: "" });
  }
  await trashUnknown(parts, "content", blobs, signal);
  const ingests = (await parts.content.backEnd.statuses(call)).filter(
    ({ ref, startedAt }) => isKey(ref) && isBefore(startedAt, startMs),
  );
  await trashUnknown(
    parts,
    "ingests",
    ingests.map(({ ref }) => ({ key: ref, parent: "" })),
    signal,
  );
}

async function trashUnknown(
  parts: EmptyingParts,
  store: TrashStore,
  found: readonly Found[],
  signal: AbortSignal,
): Promise<void> {
  const { database } = parts.content;
  const slices = new Slices();
  for (let first = 0; first < found.length; first += batchLimit) {
    await slices.pause(signal);
    const batch = found.slice(first, first + batchLimit);
    const referenced = findReferenced(
      database,
      store,
      batch.map(({ key }) => key),
    );
    const unknown = batch.filter(({ key }) => !referenced.has(key));
    if (unknown.length === 0) continue;
    parts.log.info("found what nobody refers to", { store, count: unknown.length, first: unknown[0]?.key });
    await parts.own.write(database, (tx) => {
      for (const { key, parent } of unknown) putTrash(tx, store, key, parent);
    });
  }
}

/** A key of our making: numbered by us, or older than this process. Others may use the snapshotter, too. */
function isOurs(reader: Reader, snapshotter: string, { name, createdAt }: Info, startMs: number): boolean {
  if (!isKey(name)) return false;
  const [namespace = "", number = ""] = name.split("/", 2);
  const last = reader.get(tables.sequence, [snapshotCounter({ namespace, snapshotter })])?.last ?? 0n;
  return BigInt(number) <= last || isBefore(createdAt, startMs);
}

/** `<namespace>/<number>/<name>` */
function isKey(text: string): boolean {
  const [namespace = "", number = "", ...rest] = text.split("/");
  return identifierProblem(namespace) === undefined && /^[1-9]\d{0,18}$/.test(number) && rest.length > 0;
}

function isBefore(time: Timestamp | undefined, startMs: number): boolean {
  return time !== undefined && Number(nanosOf(time) / 1_000_000n) < startMs;
}
