import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { scaled } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { Chance } from "../../simulation/machine/chance.ts";
import { collectModel, snapshotter } from "./gc/model.ts";
import { changeSomething, makeGraph, pull } from "./gc/random-graph.ts";
import { expected, World } from "./gc/world.ts";
import { startMetadata, type MetadataServer } from "./metadata-server.ts";
import { startSnapshotter, type SnapshotterServer } from "./snapshotter-server.ts";

const graphCount = scaled(300);
/** Those with writers beside take three times as long. */
const busyCount = scaled(100);
/** Graphs that are made in one server, one after another. */
const graphsAServer = 10;

interface Setting {
  readonly metadata: MetadataServer;
  readonly backEnd: SnapshotterServer;
  readonly worlds: readonly World[];
  readonly chance: Chance;
}

/** Runs `check` over random graphs, two namespaces each, under both policies; a failure names its seed. */
async function overGraphs(
  t: TestContext,
  { first, count }: { readonly first: number; readonly count: number },
  check: (setting: Setting) => Promise<void>,
): Promise<void> {
  t.diagnostic(`seeds ${first} to ${first + count - 1}`);
  for (let done = 0; done < count; done += graphsAServer) {
    await using folder = await makeTempFolder("gc");
    await using backEnd = await startSnapshotter(folder.path, snapshotter);
    const shares = (done / graphsAServer) % 2 === 0;
    await using metadata = await startMetadata(folder.path, { shares, snapshotters: [snapshotter] });
    for (let seed = first + done; seed < first + Math.min(done + graphsAServer, count); seed++) {
      const worlds = ["one", "two"].map((name) => new World(metadata.channel, `${name}-${seed}`));
      const chance = new Chance(seed);
      try {
        for (const world of worlds) await makeGraph(world, chance);
        await check({ metadata, backEnd, worlds, chance });
        await clear(metadata, backEnd, worlds);
      } catch (error) {
        throw new Error(`seed ${seed}, ${shares ? "shared" : "isolated"}`, { cause: error });
      }
    }
  }
}

async function assertCollected({ metadata, backEnd, worlds }: Setting): Promise<void> {
  for (const { model } of worlds) collectModel(model);
  for (const world of worlds) assert.deepEqual(await world.seen(), expected(world.model), world.name);
  await assertNothingElse(metadata, backEnd, worlds);
}

/** Back ends hold what the namespaces do, and no more. */
async function assertNothingElse(
  metadata: MetadataServer,
  backEnd: SnapshotterServer,
  worlds: readonly World[],
): Promise<void> {
  const stored = (await Array.fromAsync(metadata.store.list())).map(({ digest }) => digest).sort();
  const blobs = new Set(worlds.flatMap(({ model }) => [...model.blobs.keys()]));
  assert.deepEqual(stored, [...blobs].sort(), "blobs in the store");
  const names = backEnd.snapshots.all().map(([key]) => key.split("/").toSpliced(1, 1).join("/"));
  const snapshots = worlds.flatMap(({ name, model }) => Array.from(model.snapshots.keys(), (key) => `${name}/${key}`));
  assert.deepEqual(names.sort(), snapshots.sort(), "snapshots in the back end");
  const trash = Array.from(metadata.database.range(tables.trash, []), ({ value }) => value);
  assert.deepEqual(
    trash.filter(({ store }) => store !== "ingests"),
    [],
  );
}

/** Everything of a graph goes once nothing is a root any more. */
async function clear(metadata: MetadataServer, backEnd: SnapshotterServer, worlds: readonly World[]): Promise<void> {
  for (const world of worlds) {
    const { images, containers, leases, blobs, snapshots, ingests } = world.model;
    for (const name of images.keys()) await world.removeImage(name);
    for (const id of containers.keys()) await world.removeContainer(id);
    for (const id of leases.keys()) await world.removeLease(id);
    for (const digest of blobs.keys()) await world.label(digest, {});
    for (const key of [...snapshots.keys()].reverse()) await world.removeSnapshot(key);
    for (const ref of ingests.keys())
      await world.content.abort({ ref }, { metadata: { "containerd-namespace": world.name } });
    ingests.clear();
  }
  await metadata.collect();
  for (const { model } of worlds) collectModel(model);
  await assertNothingElse(metadata, backEnd, worlds);
}

test(`${graphCount} random graphs are collected as the model says, and again after changes`, async (t) => {
  await overGraphs(t, { first: 1, count: graphCount }, async (setting) => {
    const { metadata, worlds, chance } = setting;
    await metadata.collect();
    await assertCollected(setting);
    for (let round = 0; round < 3; round++) {
      for (let count = chance.between(1, 4); count > 0; count--) {
        await changeSomething(chance.pick(worlds) as World, chance);
      }
      await metadata.collect();
      await assertCollected(setting);
    }
  });
});

test(`collections beside writers of ${busyCount} random graphs take nothing that is kept, and all else in two`, async (t) => {
  await overGraphs(t, { first: 10_001, count: busyCount }, async (setting) => {
    const { metadata, worlds, chance } = setting;
    await metadata.collect();
    for (const { model } of worlds) collectModel(model);
    let writers = worlds.length;
    const writing = worlds.map(async (world) => {
      try {
        for (let index = 0; index < 3; index++) {
          await pull(world, index);
          await changeSomething(world, chance, true);
        }
      } finally {
        writers--;
      }
    });
    const collecting = (async () => {
      while (writers > 0) {
        await metadata.collect();
        await setImmediate(); // one that has nothing to do waits for nothing
      }
    })();
    await Promise.all([collecting, ...writing]);
    for (let cycle = 0; cycle < 2; cycle++) await metadata.collect();
    await assertCollected(setting);
  });
});
