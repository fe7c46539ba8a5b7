import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { digestOf } from "../../differential/blobs.ts";
import { openDatabase } from "../../../plugins/metadata/database/open.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import type { Reader } from "../../../plugins/shared/database/reader.ts";
import type { Table } from "../../../plugins/shared/database/table.ts";
import { walkSnapshotter, type BackEndSnapshot } from "./walk-snapshotter.ts";

const store = "io.containerd.content.v1.content";
const databaseBytes = 2 ** 32;

/**
 * Walks over disk and databases of a daemon that has stopped: every blob is what its digest says, whatever is recorded is
 * there, and nothing else is. Gives what is wrong, in words.
 */
export async function walkImages(root: string): Promise<string[]> {
  const metadata = await openDatabase(join(root, "io.containerd.metadata.v1.bolt"), {
    maxBytes: databaseBytes,
    publish: () => Promise.resolve(),
  });
  await using _ = metadata;
  const trash = new Set(rows(metadata, tables.trash).map(({ value }) => `${value.store} ${value.key}`));
  return [
    ...unfinished(metadata),
    ...(await blobProblems(root, metadata, trash)),
    ...(await ingestProblems(root, metadata, trash)),
    ...(await snapshotProblems(root, metadata, trash)),
    ...(await mountProblems(root)),
  ];
}

/**
 * Operations of which nobody knows how they ended, and garbage that could be gone: all but uploads of the last minute. A
 * commit whose upload is there can still be made.
 */
function unfinished(metadata: Reader): string[] {
  const commits = rows(metadata, tables.contentIntent).filter(({ parts }) => !metadata.has(tables.ingest, parts));
  const intents = [...commits, ...rows(metadata, tables.snapshotIntent)];
  const trash = rows(metadata, tables.trash).filter(({ value }) => !value.deferred);
  return [
    ...intents.map(({ parts }) => `intent ${parts.join(" ")} is left`),
    ...trash.map(({ value }) => `${value.store} ${value.key} is still in the trash`),
  ];
}

async function blobProblems(root: string, metadata: Reader, trash: ReadonlySet<string>): Promise<string[]> {
  const folder = join(root, store, "blobs/sha256");
  const stored = new Set((await namesIn(folder)).map((hex) => `sha256:${hex}`));
  const recorded = new Set(rows(metadata, tables.blob).map(({ value }) => value.digest));
  const damaged: string[] = [];
  for (const digest of stored) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(folder, digest.slice(7))), hash);
    if (`sha256:${hash.digest("hex")}` !== digest) damaged.push(`blob ${digest} has other bytes`);
  }
  return [
    ...damaged,
    ...missingFrom(recorded, stored).map((digest) => `blob ${digest} has no file`),
    ...missingFrom(stored, recorded)
      .filter((digest) => !trash.has(`content ${digest}`))
      .map((digest) => `blob ${digest} is nobody's`),
  ];
}

async function ingestProblems(root: string, metadata: Reader, trash: ReadonlySet<string>): Promise<string[]> {
  const folder = join(root, store, "ingest");
  const recorded = new Set(rows(metadata, tables.ingest).map(({ value }) => value.storeRef));
  const problems: string[] = [];
  for (const name of await namesIn(folder)) {
    const ref = await readFile(join(folder, name, "ref"), "utf8").catch(() => "");
    if (digestOf(ref).slice(7) !== name) problems.push(`ingest ${name} is of ${JSON.stringify(ref)}`);
    else if (!recorded.has(ref) && !trash.has(`ingests ${ref}`)) problems.push(`ingest ${ref} is nobody's`);
  }
  return problems;
}

async function snapshotProblems(root: string, metadata: Reader, trash: ReadonlySet<string>): Promise<string[]> {
  const problems: string[] = [];
  const backEnds: BackEnds = new Map();
  const used = new Set(rows(metadata, tables.snapshot).map(({ value }) => `${value.snapshotter} ${value.backEndKey}`));
  for (const folder of await namesIn(root)) {
    const [, name] = /^io\.containerd\.snapshotter\.v1\.(\w+)$/.exec(folder) ?? [];
    const walked = name === undefined ? undefined : await walkSnapshotter(name, join(root, folder));
    if (name === undefined || walked === undefined) continue;
    backEnds.set(name, walked.snapshots);
    const unknown = [...walked.snapshots.keys()].filter(
      (key) => !used.has(`${name} ${key}`) && !trash.has(`snapshots/${name} ${key}`),
    );
    problems.push(...walked.problems, ...unknown.map((key) => `snapshot ${key} of ${name} is nobody's`));
  }
  return [...problems, ...lostSnapshots(metadata, backEnds), ...wrongChildren(metadata)];
}

type BackEnds = Map<string, ReadonlyMap<string, BackEndSnapshot>>;

/** Of namespaces' snapshots, those that are not as their snapshotters have them. */
function lostSnapshots(metadata: Reader, backEnds: BackEnds): string[] {
  return rows(metadata, tables.snapshot).flatMap(({ parts: [namespace = ""], value }) => {
    const { snapshotter, key, parent, backEndKey } = value;
    const what = `snapshot ${key} of ${snapshotter} in ${namespace}`;
    const known = backEnds.get(snapshotter)?.get(backEndKey);
    if (known === undefined) return [`${what} is missing in the snapshotter`];
    const above = parent === "" ? undefined : metadata.get(tables.snapshot, [namespace, snapshotter, parent]);
    if (parent !== "" && above === undefined) return [`${what} has lost its parent`];
    if (known.parent !== (above?.backEndKey ?? "")) return [`${what} has another parent`];
    const isUsed = metadata.has(tables.snapshotUse, [snapshotter, backEndKey, namespace, key]);
    return isUsed ? [] : [`${what} is not known to use ${backEndKey}`];
  });
}

function wrongChildren(metadata: Reader): string[] {
  return rows(metadata, tables.snapshotChild).flatMap(({ parts }) => {
    const [namespace = "", snapshotter = "", parent = "", child = ""] = parts;
    const found = metadata.get(tables.snapshot, [namespace, snapshotter, child]);
    return found?.parent === parent ? [] : [`${child} of ${snapshotter} in ${namespace} is no child of ${parent}`];
  });
}

/** Mounts below the root, and folders that they were made for. */
async function mountProblems(root: string): Promise<string[]> {
  const jobs = (await namesIn(join(root, "tmpmounts"))).map((name) => `folder tmpmounts/${name} is left`);
  const lines = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  return [...jobs, ...lines.filter((line) => line.includes(` ${root}/`)).map((line) => `mount ${line} is left`)];
}

interface Row<T> {
  readonly parts: readonly string[];
  readonly value: T;
}

/** Records with the parts of their keys, the table's name left out; only where no part has 512 bytes or a zero byte. */
function rows<D extends DescMessage>(reader: Reader, table: Table<D>): readonly Row<MessageShape<D>>[] {
  return Array.from(reader.range(table, []), ({ key, value }) => ({
    parts: key.toString().split("\0").slice(1, -1),
    value,
  }));
}

function missingFrom(some: Iterable<string>, others: ReadonlySet<string>): string[] {
  return [...some].filter((each) => !others.has(each));
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
