import assert from "node:assert/strict";
import { test } from "node:test";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Kind, Snapshots, type Info } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { isHostError, type ErrorKind } from "#proto/wire/errors.ts";
import type { Client } from "#rpc";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf } from "./content-client.ts";
import { inNamespace, startMetadata, type MetadataOptions, type MetadataServer } from "./metadata-server.ts";
import { setFaults, startSnapshotter, type SnapshotterServer } from "./snapshotter-server.ts";

const one = inNamespace("one");
const snapshotter = "folder";
const refLabel = "containerd.io/snapshot.ref";

interface Setting {
  readonly folder: string;
  readonly metadata: MetadataServer;
  readonly backEnd: SnapshotterServer;
  readonly snapshots: Client<typeof Snapshots>;
}

/** Metadata over one snapshotter. */
async function withSnapshotter(work: (setting: Setting) => Promise<void>, options: MetadataOptions = {}) {
  await using folder = await makeTempFolder("sn");
  await using backEnd = await startSnapshotter(folder.path, snapshotter);
  await using metadata = await startMetadata(folder.path, { snapshotters: [snapshotter], ...options });
  await work({ folder: folder.path, metadata, backEnd, snapshots: metadata.client(Snapshots) });
}

async function namesOf(snapshots: Client<typeof Snapshots>, options = one): Promise<string[]> {
  return (await listOf(snapshots, [], options)).map(({ name }) => name);
}

async function listOf(snapshots: Client<typeof Snapshots>, filters: readonly string[], options = one): Promise<Info[]> {
  const blocks = await Array.fromAsync(snapshots.list({ snapshotter, filters: [...filters] }, options));
  return blocks.flatMap(({ info }) => info);
}

const fails = (kind: ErrorKind, text?: RegExp) => (error: unknown) =>
  isHostError(error, kind) && (text === undefined || text.test(error.message));

function keysOf({ backEnd }: Setting): string[] {
  return backEnd.snapshots
    .all()
    .map(([key]) => key)
    .sort();
}

test("the back end sees numbered keys and inherited labels, a client its own names with all labels", async () => {
  await withSnapshotter(async (setting) => {
    const { snapshots, backEnd } = setting;
    const labels = { "containerd.io/snapshot/x": "1", plain: "2" };
    const { mounts } = await snapshots.prepare({ snapshotter, key: "a", labels }, one);
    assert.equal(mounts[0]?.type, "bind");
    await snapshots.commit({ snapshotter, name: "layer", key: "a", labels: { plain: "3" } }, one);
    await snapshots.view({ snapshotter, key: "v", parent: "layer" }, inNamespace("one"));
    await assert.rejects(
      snapshots.view({ snapshotter, key: "v", parent: "layer" }, inNamespace("two")),
      fails("not-found"),
    );
    await snapshots.prepare({ snapshotter, key: "a" }, inNamespace("two"));
    assert.deepEqual(keysOf(setting), ["one/2/layer", "one/3/v", "two/1/a"]);
    assert.deepEqual(backEnd.snapshots.get("one/3/v").parent, "one/2/layer");
    const { info } = await snapshots.stat({ snapshotter, key: "layer" }, one);
    assert.deepEqual([info?.name, info?.kind, info?.labels], ["layer", Kind.COMMITTED, { plain: "3" }]);
    assert.deepEqual(await namesOf(snapshots), ["layer", "v"]);
    const views = await listOf(snapshots, ["kind==view,parent==layer"]);
    assert.deepEqual(
      views.map(({ name }) => name),
      ["v"],
    );
  });
});

test("labels are updated by mask, the stored ones going before the back end's", async () => {
  await withSnapshotter(async ({ snapshots, backEnd }) => {
    const labels = { "containerd.io/snapshot/x": "1", a: "1" };
    await snapshots.prepare({ snapshotter, key: "a", labels }, one);
    const paths = ["labels.a", "labels.containerd.io/snapshot/x"];
    const info = { name: "a", labels: { "containerd.io/snapshot/x": "2" } };
    const updated = await snapshots.update({ snapshotter, info, updateMask: { paths } }, one);
    assert.deepEqual(updated.info?.labels, { "containerd.io/snapshot/x": "2" });
    assert.deepEqual(backEnd.snapshots.get("one/1/a").labels, { "containerd.io/snapshot/x": "2" });
    await assert.rejects(
      snapshots.update({ snapshotter, info, updateMask: { paths: ["parent"] } }, one),
      fails("invalid-argument"),
    );
  });
});

test("a thousand snapshots are listed in byte order by one call of the back end", async () => {
  await withSnapshotter(async ({ snapshots }) => {
    const keys = Array.from({ length: 250 }, (_, index) => `k${index}`);
    for (const key of keys) await snapshots.prepare({ snapshotter, key }, one);
    const blocks = await Array.fromAsync(snapshots.list({ snapshotter }, one));
    assert.deepEqual(
      blocks.map(({ info }) => info.length),
      [100, 100, 50],
    );
    assert.deepEqual(
      blocks.flatMap(({ info }) => info.map(({ name }) => name)),
      keys.toSorted(),
    );
  });
});

test("events tell of Prepare, Commit and Remove, and of nothing else", async () => {
  await withSnapshotter(async ({ snapshots, metadata }) => {
    await snapshots.prepare({ snapshotter, key: "a" }, one);
    await snapshots.commit({ snapshotter, name: "l", key: "a" }, one);
    await snapshots.view({ snapshotter, key: "v", parent: "l" }, one);
    await snapshots.remove({ snapshotter, key: "v" }, one);
    assert.deepEqual(
      metadata.events.map(({ topic, event }) => [topic, event]),
      [
        ["/snapshot/prepare", { key: "a", parent: "" }],
        ["/snapshot/commit", { key: "a", name: "l" }],
        ["/snapshot/remove", { key: "v" }],
      ],
    );
  });
});

test("new snapshots join the call's lease and leave it when removed", async () => {
  await withSnapshotter(async ({ snapshots, metadata }) => {
    const leases = metadata.client(Leases);
    await leases.create({ id: "l" }, one);
    const leased = inNamespace("one", "l");
    const resources = async () =>
      (await leases.listResources({ id: "l" }, one)).resources.map(({ type, id }) => `${type} ${id}`);
    await snapshots.prepare({ snapshotter, key: "a" }, leased);
    assert.deepEqual(await resources(), ["snapshots/folder a"]);
    await snapshots.commit({ snapshotter, name: "n", key: "a" }, leased);
    assert.deepEqual(await resources(), ["snapshots/folder n"]);
    await snapshots.remove({ snapshotter, key: "n" }, leased);
    assert.deepEqual(await resources(), []);
    await assert.rejects(
      snapshots.prepare({ snapshotter, key: "b" }, inNamespace("one", "absent")),
      fails("not-found", /^lease does not exist: not found$/),
    );
    assert.deepEqual(await namesOf(snapshots), []);
  });
});

test("a namespace with snapshots is not removed, and says on which snapshotter", async () => {
  await withSnapshotter(async ({ snapshots, metadata }) => {
    const namespaces = metadata.client(Namespaces);
    await snapshots.prepare({ snapshotter, key: "a" }, one);
    await assert.rejects(
      namespaces.delete({ name: "one" }, one),
      fails("failed-precondition", /still has snapshots on "folder" snapshotter/),
    );
    await snapshots.remove({ snapshotter, key: "a" }, one);
    await namespaces.delete({ name: "one" }, one);
    await snapshots.prepare({ snapshotter, key: "a" }, one);
    assert.ok((await snapshots.stat({ snapshotter, key: "a" }, one)).info);
  });
});

test("a back-end key is never used twice, not even by a namespace made anew", async () => {
  await withSnapshotter(async (setting) => {
    const { snapshots, metadata } = setting;
    await snapshots.prepare({ snapshotter, key: "a" }, one);
    await snapshots.remove({ snapshotter, key: "a" }, one);
    await metadata.client(Namespaces).delete({ name: "one" }, one);
    await snapshots.prepare({ snapshotter, key: "a" }, one);
    assert.deepEqual(keysOf(setting), ["one/1/a", "one/2/a"]);
  });
});

test("a remote snapshotter's snapshot is recorded under its target, which then already exists", async () => {
  await withSnapshotter(async ({ snapshots, metadata, backEnd }) => {
    backEnd.snapshots.create("active", "theirs", "", {});
    backEnd.snapshots.commit("theirs/committed", "theirs", { [refLabel]: "chain" });
    const labels = { [refLabel]: "chain" };
    await assert.rejects(
      snapshots.prepare({ snapshotter, key: "extract", labels }, one),
      fails("already-exists", /^target snapshot "chain" from snapshotter: already exists$/),
    );
    assert.deepEqual(await namesOf(snapshots), ["chain"]);
    await assert.rejects(
      snapshots.prepare({ snapshotter, key: "extract", labels }, one),
      fails("already-exists", /^target snapshot "chain": already exists$/),
    );
    await assert.rejects(
      snapshots.prepare({ snapshotter, key: "extract", labels }, inNamespace("two")),
      fails("already-exists"),
    );
    await snapshots.prepare({ snapshotter, key: "child", parent: "chain" }, inNamespace("two"));
    assert.deepEqual(Array.from(metadata.database.range(tables.snapshotIntent, [])), []);
  });
});

test("while a snapshot is being prepared its key is taken, its parent is kept and no list shows it", async () => {
  await withSnapshotter(async ({ folder, snapshots, metadata }) => {
    await snapshots.prepare({ snapshotter, key: "a" }, one);
    await snapshots.commit({ snapshotter, name: "layer", key: "a" }, one);
    await setFaults(folder, snapshotter, { Prepare: "hang-before" });
    const stop = new AbortController();
    const hanging = snapshots.prepare({ snapshotter, key: "k", parent: "layer" }, { ...one, signal: stop.signal });
    hanging.catch(() => {});
    // The second transaction of a write is behind the first of the call before it.
    while (metadata.snapshots.flights.size === 0) await metadata.database.write(() => {});
    await assert.rejects(snapshots.prepare({ snapshotter, key: "k" }, one), fails("already-exists"));
    await assert.rejects(snapshots.stat({ snapshotter, key: "k" }, one), fails("not-found"));
    await assert.rejects(snapshots.remove({ snapshotter, key: "layer" }, one), fails("failed-precondition"));
    assert.deepEqual(await namesOf(snapshots), ["layer"]);
    // Nobody else waits.
    await metadata
      .client(Images)
      .create({ image: { name: "i", target: { mediaType: "m", digest: digestOf("x"), size: 1n } } }, one);
    stop.abort();
    await assert.rejects(hanging, fails("canceled"));
    await setFaults(folder, snapshotter, {});
    await snapshots.prepare({ snapshotter, key: "k", parent: "layer" }, one);
  });
});

for (const fault of ["unknown-before", "unknown-after"] as const) {
  test(`a Prepare whose outcome is ${fault} leaves nothing, and can be made again`, async () => {
    await withSnapshotter(async ({ folder, snapshots, metadata }) => {
      await setFaults(folder, snapshotter, { Prepare: fault });
      await assert.rejects(snapshots.prepare({ snapshotter, key: "k" }, one), fails("unknown"));
      await setFaults(folder, snapshotter, {});
      assert.deepEqual(await namesOf(snapshots), []);
      await snapshots.prepare({ snapshotter, key: "k" }, one);
      const trash = Array.from(metadata.database.range(tables.trash, []), ({ value }) => value.key);
      assert.deepEqual(trash, fault === "unknown-after" ? ["one/1/k"] : []);
    });
  });
}

test("a Commit that was carried out although nobody said so is finished", async () => {
  await withSnapshotter(async ({ folder, snapshots }) => {
    await snapshots.prepare({ snapshotter, key: "k" }, one);
    await setFaults(folder, snapshotter, { Commit: "unknown-after" });
    await snapshots.commit({ snapshotter, name: "n", key: "k" }, one);
    assert.deepEqual(await namesOf(snapshots), ["n"]);
  });
});

test("a Commit that was not carried out can be made again, under the same or another name", async () => {
  for (const name of ["n", "other"]) {
    await withSnapshotter(async (setting) => {
      const { folder, snapshots } = setting;
      await snapshots.prepare({ snapshotter, key: "k" }, one);
      await setFaults(folder, snapshotter, { Commit: "unknown-before" });
      await assert.rejects(snapshots.commit({ snapshotter, name: "n", key: "k" }, one), fails("unknown"));
      await setFaults(folder, snapshotter, {});
      assert.deepEqual(await namesOf(snapshots), ["k"]);
      await snapshots.commit({ snapshotter, name, key: "k" }, one);
      assert.deepEqual(await namesOf(snapshots), [name]);
      assert.deepEqual(keysOf(setting), [name === "n" ? "one/2/n" : "one/3/other"]);
    });
  }
});

test("a Commit that comes through late is taken up by the next try", async () => {
  await withSnapshotter(async ({ folder, snapshots, backEnd }) => {
    await snapshots.prepare({ snapshotter, key: "k" }, one);
    await setFaults(folder, snapshotter, { Commit: "unknown-before" });
    await assert.rejects(snapshots.commit({ snapshotter, name: "n", key: "k" }, one), fails("unknown"));
    backEnd.snapshots.commit("one/2/n", "one/1/k", {});
    await setFaults(folder, snapshotter, {});
    await snapshots.commit({ snapshotter, name: "n", key: "k" }, one);
    assert.deepEqual(await namesOf(snapshots), ["n"]);
  });
});
