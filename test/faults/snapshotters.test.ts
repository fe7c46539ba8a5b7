import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect, type Channel } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { untilStatus } from "../harness/status-watch.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";
import { digestOf, exchange } from "../plugins/metadata/content-client.ts";
import { inNamespace } from "../plugins/metadata/metadata-server.ts";
import { setFaults } from "../plugins/metadata/snapshotter-server.ts";

const packages = resolve(import.meta.dirname, "../fixtures/packages");
const snapshotterType = "io.containerd.snapshotter.v1";
const one = inNamespace("one");
const two = inNamespace("two");
/** A call beside a hung snapshotter, on a machine that is busy. */
const quickMs = 5_000;
/** Keeps what nothing else names from being collected. */
const labels = { "containerd.io/gc.root": "1" };

/** A daemon with the folder snapshotter among its packages; `faults` has effect from the next call on. */
async function startWithFolder(folder: TempFolder): Promise<{
  readonly daemon: BulkheadDaemon;
  readonly faults: (faults: Parameters<typeof setFaults>[2]) => Promise<void>;
}> {
  const daemon = await startBulkhead({ folder, config: `plugin_dirs: [${packages}]\n` });
  return {
    daemon,
    faults: (faults) => setFaults(daemon.root, `${snapshotterType}.folder`, faults),
  };
}

test("a snapshotter that hangs in Commit delays no other, no namespace and no write, and shows in status", async () => {
  await using folder = await makeTempFolder("fs");
  const { daemon, faults } = await startWithFolder(folder);
  await using _ = daemon;
  using channel = connect(daemon.address);
  const snapshots = clientOf(Snapshots, channel);
  await snapshots.prepare({ snapshotter: "folder", key: "k", labels }, one);
  await faults({ Commit: "hang-before" });
  const stop = new AbortController();
  const hung = snapshots.commit(
    { snapshotter: "folder", name: "n", key: "k", labels },
    { ...one, signal: stop.signal },
  );
  hung.catch(() => {});
  await useAll(channel, "while it hangs");
  await untilStatus(
    daemon,
    "metadata",
    ({ state, reason }) => state === "unhealthy" && /folder/.test(reason),
    30_000,
  ).then(({ state, reason }) => {
    assert.equal(state, "unhealthy", reason);
    assert.match(reason, /no answer for 10 s: Commit of snapshotter folder/);
  });
  await useAll(channel, "and still");
  await faults({});
  stop.abort();
  await assert.rejects(hung, (error) => isHostError(error, "canceled"));
  const { state } = await untilStatus(daemon, "metadata", (status) => status.state === "ready");
  assert.equal(state, "ready");
  await snapshots.commit({ snapshotter: "folder", name: "n", key: "k", labels }, one);
});

/** Everything else, each under a short deadline: other snapshotters, other namespaces, images, uploads, collections. */
async function useAll(channel: Channel, mark: string): Promise<void> {
  const within = <O extends object>(options: O) => ({ ...options, deadlineMs: Date.now() + quickMs });
  const snapshots = clientOf(Snapshots, channel);
  for (const options of [one, two]) {
    for (const snapshotter of ["native", "folder"]) {
      await snapshots.prepare({ snapshotter, key: mark, labels }, within(options));
      await Array.fromAsync(snapshots.list({ snapshotter }, within(options)));
    }
    const name = `${mark} committed`;
    await snapshots.commit({ snapshotter: "native", name, key: mark, labels }, within(options));
    const data = Buffer.from(mark);
    const commit = { action: WriteAction.COMMIT, offset: BigInt(data.length), labels };
    const requests = [{ ref: mark }, { action: WriteAction.WRITE, data }, commit];
    await exchange(clientOf(Content, channel), requests, within(options));
    const target = { mediaType: "m", digest: digestOf(data), size: 1n };
    await clientOf(Images, channel).create({ image: { name: mark, target } }, within(options));
    await clientOf(Leases, channel).create({ id: mark }, within(options));
    await clientOf(Leases, channel).delete({ id: mark, sync: true }, within(options));
  }
}

test("a snapshotter that dies is asked again once it is back, and one that is down is named", async () => {
  await using folder = await makeTempFolder("fs");
  const { daemon, faults } = await startWithFolder(folder);
  await using _ = daemon;
  using channel = connect(daemon.address);
  const snapshots = clientOf(Snapshots, channel);
  await faults({ Prepare: "die-after" });
  await assert.rejects(
    snapshots.prepare({ snapshotter: "folder", key: "k", labels }, one),
    (error) => isHostError(error, "unavailable") && /snapshotter folder/.test(error.message),
  );
  await faults({});
  await snapshots.prepare({ snapshotter: "folder", key: "k", labels }, one);
  const blocks = await Array.fromAsync(snapshots.list({ snapshotter: "folder" }, one));
  assert.deepEqual(
    blocks.flatMap(({ info }) => info.map(({ name }) => name)),
    ["k"],
  );
});

test("a proxied snapshotter whose socket nobody serves is UNAVAILABLE, named, and delays no other", async () => {
  await using folder = await makeTempFolder("fs");
  const address = join(folder.path, "absent.sock");
  const config = `proxy_plugins: { acme: { type: snapshot, address: ${address} } }\nboot: { wait: 500ms }\n`;
  await using daemon = await startBulkhead({ folder, config });
  using channel = connect(daemon.address);
  const snapshots = clientOf(Snapshots, channel);
  const asked = snapshots.prepare({ snapshotter: "acme", key: "k" }, one);
  asked.catch(() => {});
  await snapshots.prepare({ snapshotter: "native", key: "k" }, { ...one, deadlineMs: Date.now() + quickMs });
  await assert.rejects(asked, (error) => isHostError(error, "unavailable") && /acme/.test(error.message));
});
