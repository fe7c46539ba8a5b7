import assert from "node:assert/strict";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { clientOf, connect } from "#rpc";
import { patternBytes } from "../differential/blobs.ts";
import { numbersFrom } from "../differential/chance.ts";
import { archiveIn, writeOciArchive } from "../differential/image-archives.ts";
import { oddLayers } from "../differential/odd-layers.ts";
import { readMadeTree } from "../differential/unpacked.ts";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { ctr, type CtrResult } from "../harness/ctr.ts";
import { defaultDeadlineMs, scaled } from "../harness/deadline.ts";
import { skipWithout } from "../harness/peers.ts";
import { listPlugins } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";
import type { EntryFacts } from "../harness/tree-facts.ts";
import { tarOf } from "../plugins/differ/tar-builder.ts";

const victims = ["metadata", "content", "differ", "overlayfs"] as const;
const kills = scaled(30);
/** Imports after a kill before it counts as lost; each may meet a package that is about to start again. */
const retries = 5;
const stormMs = 900_000;
const image = "example.com/odd:1";
const namespace = "kills";
const snapshotter = "overlayfs";
const scope = { metadata: { "containerd-namespace": namespace } };
const skip = skipWithout({ peers: ["containerd"], root: true });

/** A storm is no reason here to give a package up. */
const config = `packages: { ${victims.map((name) => `${name}: { restart: { intensity: 0 } }`).join(", ")} }\n`;

/** Enough files and bytes that every part of an import takes a while. */
const manyFiles = tarOf([
  ...Array.from({ length: 400 }, (_, index) => ({ name: `many/${index}`, data: patternBytes(4000, `${index}`) })),
  { name: "large", data: patternBytes(8_000_000) },
]);

test("an import whose packages are killed at random moments succeeds when tried again, and leaves nothing behind", {
  skip,
  timeout: stormMs,
}, async () => {
  await using work = await makeTempFolder("ik");
  await using daemon = await startBulkhead({ config });
  const layers = [...oddLayers, manyFiles].map((tar) => ({ tar, packing: "gzip" as const }));
  await writeOciArchive(archiveIn(work.path), image, [{ family: "oci", layers }]);
  const run = (...args: readonly string[]) => ctr(daemon.address, args, { namespace });
  const load = () => run("image", "import", "--snapshotter", snapshotter, archiveIn(work.path));
  assertWell(await load());
  const whole = await treeOf(daemon, work.join("mounted"));
  await removeAll(daemon);
  // The first one warmed the packages up.
  const started = performance.now();
  assertWell(await load());
  const importMs = performance.now() - started;
  await removeAll(daemon);

  const seed = Number(process.env["BULKHEAD_TEST_SEED"] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}: BULKHEAD_TEST_SEED=${seed} repeats it`);
  const chance = numbersFrom(seed);
  let failed = 0;
  for (let turn = 0; turn < kills; turn++) {
    const victim = victims[turn % victims.length] ?? "metadata";
    const afterMs = Math.floor(chance(1000) * (importMs / 1000));
    const where = `turn ${turn}, ${victim} after ${afterMs} of ${Math.round(importMs)} ms`;
    const first = load();
    // Not a wait for anything: the moment itself is what is tried.
    await delay(afterMs);
    await killPackage(daemon, victim);
    let last = await first;
    if (last.code !== 0) failed++;
    for (let retry = 0; last.code !== 0 && retry < retries; retry++) last = await load();
    assertWell(last, where);
    const check = await run("image", "check", "--snapshotter", snapshotter);
    assert.match(check.stdout, /complete \(5\/5\).* true/, `${where}: ${check.stdout}${check.stderr}`);
    assert.deepEqual(await treeOf(daemon, work.join("mounted")), whole, where);
    await removeAll(daemon, where);
  }
  console.log(`${failed} of ${kills} imports failed at first`);
});

function assertWell({ code, stdout, stderr }: CtrResult, where = ""): void {
  assert.equal(code, 0, `${where}: ${stdout}${stderr}`);
}

async function killPackage(daemon: BulkheadDaemon, name: string): Promise<void> {
  const found = (await listPlugins(daemon)).find((plugin) => plugin.package === name && plugin.pid > 0n);
  if (found === undefined) return;
  try {
    process.kill(Number(found.pid), "SIGKILL");
  } catch {
    // It has just ended.
  }
}

async function treeOf(daemon: BulkheadDaemon, target: string): Promise<Record<string, EntryFacts>> {
  await mkdir(target, { recursive: true });
  const run = (...args: readonly string[]) => ctr(daemon.address, ["image", ...args], { namespace });
  assertWell(await run("mount", "--snapshotter", snapshotter, image, target));
  try {
    return readMadeTree(target);
  } finally {
    assertWell(await run("unmount", "--snapshotter", snapshotter, "--rm", target));
  }
}

/** Removes the image and the leases that clients could not end; then there is nothing, in no database and no folder. */
async function removeAll(daemon: BulkheadDaemon, where = ""): Promise<void> {
  assertWell(await ctr(daemon.address, ["image", "rm", "--sync", image], { namespace }), where);
  using channel = connect(daemon.address);
  const leases = clientOf(Leases, channel);
  const limit = Date.now() + defaultDeadlineMs;
  for (;;) {
    const { leases: left } = await leases.list({}, scope);
    for (const { id } of left) await leases.delete({ id, sync: true }, scope);
    await leases.create({ id: "collect" }, scope);
    await leases.delete({ id: "collect", sync: true }, scope);
    const found = await remains(daemon);
    if (found.length === 0) return;
    assert.ok(Date.now() < limit, `${where}: left behind: ${found.join(", ")}`);
  }
}

/** Everything that is not gone. */
async function remains(daemon: BulkheadDaemon): Promise<string[]> {
  using channel = connect(daemon.address);
  const content = clientOf(Content, channel);
  const blobs = await Array.fromAsync(content.list({}, scope));
  const { statuses } = await content.listStatuses({}, scope);
  const snapshots = await Array.fromAsync(clientOf(Snapshots, channel).list({ snapshotter }, scope));
  const store = "io.containerd.content.v1.content";
  const folders = [`${store}/blobs/sha256`, `${store}/ingest`, "io.containerd.snapshotter.v1.overlayfs/snapshots"];
  const onDisk = folders.map(async (folder) => {
    const names = await readdir(join(daemon.root, folder)).catch(() => []);
    return names.map((name) => `${folder}/${name}`);
  });
  return [
    ...blobs.flatMap(({ info }) => info.map(({ digest }) => `blob ${digest}`)),
    ...statuses.map(({ ref }) => `ingest ${ref}`),
    ...snapshots.flatMap(({ info }) => info.map(({ name }) => `snapshot ${name}`)),
    ...(await Promise.all(onDisk)).flat(),
  ];
}
