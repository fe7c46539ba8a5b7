import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { Child } from "../../harness/child.ts";
import { scaled } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { snapshotter } from "./gc/model.ts";
import { pull } from "./gc/random-graph.ts";
import { World } from "./gc/world.ts";
import { inNamespace, startMetadata, type MetadataServer } from "./metadata-server.ts";
import { setFaults, startSnapshotter, type SnapshotterServer } from "./snapshotter-server.ts";
import { startStore, type StoreServer } from "./store-server.ts";

const steps = [
  "snapshot-intent-stored",
  "snapshotter-done",
  "snapshot-recorded",
  "intent-stored",
  "store-committed",
  "recorded",
  "marked",
  "swept",
  "deleted",
];
/** How often a step is reached before the process dies there. */
const times = Array.from({ length: scaled(3) }, (_, index) => 1 + index * 3);
/** Images that are pulled before a kill that never comes. */
const pullLimit = 300;

for (const step of steps) {
  for (const nth of times) {
    test(`metadata that dies at "${step}", time ${nth}, loses nothing and leaves nothing`, async () => {
      await using folder = await makeTempFolder("gk");
      await using store = await startStore(folder.path);
      await using backEnd = await startSnapshotter(folder.path, snapshotter);
      const kept = await pullUntilDead(folder.path, step, nth);
      await using metadata = await startMetadata(folder.path, { storeElsewhere: true, snapshotters: [snapshotter] });
      await metadata.settle();
      for (let cycle = 0; cycle < 2; cycle++) await metadata.collect();
      await assertKept(metadata, kept);
      await assertNothingLeft(metadata, store, backEnd);
      // Whatever it was at can be done again.
      const world = new World(metadata.channel, "again");
      await pull(world, 1000);
      await assertKept(metadata, world);
    });
  }
}

/** Pulls images and removes every second one, until the process has died; gives what it acknowledged. */
async function pullUntilDead(folder: string, step: string, nth: number): Promise<World> {
  const args = [join(import.meta.dirname, "metadata-process.ts"), folder, step, "acme-store", `${nth}`, snapshotter];
  await using victim = new Child(process.execPath, args);
  await victim.output.waitFor(/ready/);
  using channel = connect(`${folder}/metadata.sock`);
  const world = new World(channel, "one");
  try {
    for (let index = 0; index < pullLimit; index++) {
      await pull(world, index);
      if (index % 2 === 1) await world.removeImage(`pulled ${index}`);
    }
    assert.fail(`${step} was not reached ${nth} times`);
  } catch (error) {
    if (!isHostError(error, "unavailable")) throw error;
  }
  assert.equal((await victim.waitForExit()).signal, "SIGKILL", victim.output.text);
  return world;
}

/** Each image that was acknowledged is whole. */
async function assertKept(metadata: MetadataServer, world: World): Promise<void> {
  const options = inNamespace(world.name);
  using channel = connect(metadata.channel.target);
  for (const [name, { digest }] of world.model.images) {
    const { info } = await clientOf(Content, channel).info({ digest }, options);
    const labels = info?.labels ?? {};
    for (const [key, value] of Object.entries(labels)) {
      if (key.startsWith("containerd.io/gc.ref.content")) {
        const read = await Array.fromAsync(clientOf(Content, channel).read({ digest: value }, options));
        assert.ok(read.length > 0, `${name}: ${value}`);
      } else await clientOf(Snapshots, channel).stat({ snapshotter, key: value }, options);
    }
  }
}

/** The back ends hold what metadata knows and no more, and no snapshot is half made. */
async function assertNothingLeft(
  { database }: MetadataServer,
  { store }: StoreServer,
  { snapshots }: SnapshotterServer,
): Promise<void> {
  const stored = (await Array.fromAsync(store.list())).map(({ digest }) => digest).sort();
  const known = new Set(Array.from(database.range(tables.blob, []), ({ value }) => value.digest));
  assert.deepEqual(stored, [...known].sort());
  const keys = Array.from(database.range(tables.snapshot, []), ({ value }) => value.backEndKey).sort();
  assert.deepEqual(
    snapshots
      .all()
      .map(([key]) => key)
      .sort(),
    keys,
  );
  // A commit that was not carried out stays possible for a while.
  const open = [tables.contentIntent, tables.snapshotIntent].flatMap((table) =>
    Array.from(database.range(table, []), ({ value }) => value.operation.case),
  );
  assert.deepEqual(
    open.filter((operation) => operation === "snapshotCreate"),
    [],
  );
  const trash = Array.from(database.range(tables.trash, []), ({ value }) => value);
  assert.deepEqual(
    trash.filter(({ store: name }) => name !== "ingests"),
    [],
  );
  const children = Array.from(database.range(tables.snapshotChild, []));
  assert.equal(
    children.length,
    Array.from(database.range(tables.snapshot, [])).filter(({ value }) => value.parent !== "").length,
  );
}

for (const method of ["Prepare", "View", "Commit"]) {
  for (const when of ["die-before", "die-after"] as const) {
    test(`a snapshotter that dies in ${method} (${when}) leaves nothing, and the call can be made again`, async () => {
      await using folder = await makeTempFolder("gk");
      const start = async (): Promise<Child> => {
        const args = [join(import.meta.dirname, "snapshotter-process.ts"), folder.path, snapshotter];
        const child = new Child(process.execPath, args);
        await child.output.waitFor(/ready/);
        return child;
      };
      await using victim = await start();
      await using metadata = await startMetadata(folder.path, { snapshotters: [snapshotter] });
      const snapshots = metadata.client(Snapshots);
      const one = inNamespace("one");
      const labels = { "containerd.io/gc.root": "1" };
      const attempt = async (): Promise<unknown> => {
        if (method === "Prepare") return snapshots.prepare({ snapshotter, key: "k", labels }, one);
        if (method === "View") return snapshots.view({ snapshotter, key: "k", labels }, one);
        return snapshots.commit({ snapshotter, name: "n", key: "k", labels }, one);
      };
      if (method === "Commit") await snapshots.prepare({ snapshotter, key: "k", labels }, one);
      await setFaults(folder.path, snapshotter, { [method]: when });
      const first = attempt();
      first.catch(() => {});
      await victim.waitForExit();
      await setFaults(folder.path, snapshotter, {});
      await using _ = await start();
      const isDone = method === "Commit" && when === "die-after";
      if (isDone) await first;
      else {
        await assert.rejects(first, (error) => isHostError(error, "unavailable"));
        await attempt();
      }
      for (let cycle = 0; cycle < 2; cycle++) await metadata.collect();
      const blocks = await Array.fromAsync(snapshots.list({ snapshotter }, one));
      assert.deepEqual(
        blocks.flatMap(({ info }) => info.map(({ name }) => name)),
        [method === "Commit" ? "n" : "k"],
      );
      assert.deepEqual(Array.from(metadata.database.range(tables.snapshotIntent, [])), []);
    });
  }
}
