import assert from "node:assert/strict";
import { test } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf, exchange, uploadOf } from "./content-client.ts";
import { inNamespace, startMetadata, type MetadataServer } from "./metadata-server.ts";
import { startSnapshotter } from "./snapshotter-server.ts";

const snapshotter = "folder";
const one = inNamespace("one");
const two = inNamespace("two");
const data = Buffer.from("the bytes of a blob");
const digest = digestOf(data);
const refLabel = "containerd.io/snapshot.ref";

async function storedBlobs({ store }: MetadataServer): Promise<string[]> {
  return (await Array.fromAsync(store.list())).map((blob) => blob.digest);
}

function trashOf({ database }: MetadataServer): string[] {
  return Array.from(database.range(tables.trash, []), ({ value }) => `${value.store} ${value.key}`);
}

test("after a start back ends lose what nobody knows, and keep what is not of our making", async () => {
  await using folder = await makeTempFolder("gc");
  await using backEnd = await startSnapshotter(folder.path, snapshotter);
  backEnd.snapshots.create("active", "one/99/parent", "", {});
  backEnd.snapshots.commit("one/100/committed", "one/99/parent", {});
  backEnd.snapshots.create("active", "one/101/child", "one/100/committed", {});
  for (const key of ["theirs", "not a namespace/1/x", "one/x/y", "one/7"])
    backEnd.snapshots.create("active", key, "", {});
  {
    await using earlier = await startMetadata(folder.path, { snapshotters: [snapshotter] });
    await using writer = await earlier.store.openWriter("one/1/left", 0n, new AbortController().signal);
    await writer.write(data);
    await using foreign = await earlier.store.openWriter("theirs", 0n, new AbortController().signal);
    await foreign.write(data);
    await using blob = await earlier.store.openWriter("blob", 0n, new AbortController().signal);
    await blob.write(data);
    await earlier.store.commit(blob, { size: 0n, expected: digest });
  }
  await using metadata = await startMetadata(folder.path, { snapshotters: [snapshotter] });
  await metadata.settle();
  await metadata.collect();
  const keys = backEnd.snapshots.all().map(([key]) => key);
  assert.deepEqual(keys, ["theirs", "not a namespace/1/x", "one/x/y", "one/7"]);
  assert.deepEqual(await storedBlobs(metadata), []);
  // It was written to a moment ago.
  assert.deepEqual(trashOf(metadata), ["ingests one/1/left"]);
  assert.deepEqual((await metadata.store.statuses()).map(({ ref }) => ref).sort(), ["one/1/left", "theirs"]);
});

test("a remote snapshotter's snapshot stays until the last namespace has removed it", async () => {
  await using folder = await makeTempFolder("gc");
  await using backEnd = await startSnapshotter(folder.path, snapshotter);
  await using metadata = await startMetadata(folder.path, { snapshotters: [snapshotter] });
  const snapshots = metadata.client(Snapshots);
  backEnd.snapshots.create("active", "theirs", "", {});
  backEnd.snapshots.commit("their layer", "theirs", { [refLabel]: "chain" });
  const labels = { [refLabel]: "chain", "containerd.io/gc.root": "1" };
  for (const options of [one, two]) {
    await assert.rejects(snapshots.prepare({ snapshotter, key: "x", labels }, options), (error) =>
      isHostError(error, "already-exists"),
    );
  }
  await snapshots.remove({ snapshotter, key: "chain" }, one);
  await metadata.collect();
  assert.equal(backEnd.snapshots.all().length, 1);
  await snapshots.remove({ snapshotter, key: "chain" }, two);
  await metadata.collect();
  assert.deepEqual(backEnd.snapshots.all(), []);
});

test("a blob that someone has again before the trash is emptied is kept", async () => {
  await using folder = await makeTempFolder("gc");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  const labels = { "containerd.io/gc.root": "1" };
  await exchange(content, uploadOf("r", data, labels), one);
  await content.delete({ digest }, one);
  assert.deepEqual(trashOf(metadata), [`content ${digest}`]);
  await exchange(content, uploadOf("r", data, labels), two).catch((error: unknown) => {
    if (!isHostError(error, "already-exists")) throw error;
  });
  await metadata.collect();
  assert.deepEqual(await storedBlobs(metadata), [digest]);
  assert.deepEqual(trashOf(metadata), []);
});

test("an upload that was collected is begun anew from nothing", async () => {
  await using folder = await makeTempFolder("gc");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  const leases = metadata.client(Leases);
  await leases.create({ id: "l" }, one);
  await exchange(content, [{ ref: "r" }, { action: WriteAction.WRITE, data }], inNamespace("one", "l"));
  await leases.delete({ id: "l" }, one);
  await metadata.collect();
  const [opened] = await exchange(content, [{ ref: "r" }], one);
  assert.equal(opened?.offset, 0n);
  assert.deepEqual(trashOf(metadata), []);
});

test("the trash of a snapshotter that is away waits for it, and delays no other", async () => {
  await using folder = await makeTempFolder("gc");
  const limits = { callMs: 5000, upMs: 50 };
  await using other = await startSnapshotter(folder.path, "other");
  await using metadata = await startMetadata(folder.path, { snapshotters: [snapshotter, "other"], limits });
  const snapshots = metadata.client(Snapshots);
  {
    await using _ = await startSnapshotter(folder.path, snapshotter);
    for (const name of [snapshotter, "other"]) await snapshots.prepare({ snapshotter: name, key: "k" }, one);
  }
  for (const name of [snapshotter, "other"]) await snapshots.remove({ snapshotter: name, key: "k" }, one);
  const { emptied } = await metadata.collector.collect();
  assert.deepEqual(await emptied, { left: 1 });
  assert.deepEqual(other.snapshots.all(), []);
  assert.deepEqual(trashOf(metadata), ["snapshots/folder one/1/k"]);
  await using back = await startSnapshotter(folder.path, snapshotter);
  await metadata.collect();
  assert.deepEqual([back.snapshots.all(), trashOf(metadata)], [[], []]);
});

test("an image whose time is over goes with an event, unless something names it", async () => {
  await using folder = await makeTempFolder("gc");
  await using metadata = await startMetadata(folder.path);
  const images = metadata.client(Images);
  const target = { mediaType: "m", digest, size: 1n };
  const expired = { "containerd.io/gc.expire": "2001-01-01T00:00:00Z" };
  for (const name of ["gone", "named"]) await images.create({ image: { name, target, labels: expired } }, one);
  await images.create({ image: { name: "naming", target, labels: { "containerd.io/gc.ref.image": "named" } } }, one);
  await metadata.collect();
  const left = (await images.list({}, one)).images.map(({ name }) => name);
  assert.deepEqual(left, ["named", "naming"]);
  const deletions = metadata.events.filter(({ topic }) => topic === "/images/delete");
  assert.deepEqual(
    deletions.map(({ event }) => event),
    [{ name: "gone" }],
  );
});
