import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { readdirSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { isHostError } from "#proto/wire/errors.ts";
import { launchBulkhead, prepareBulkhead, startBulkhead, type BulkheadDaemon } from "../../harness/bulkhead-daemon.ts";
import { defaultDeadlineMs } from "../../harness/deadline.ts";
import { assertNothingLeft, processesNaming } from "../../harness/leftovers.ts";
import { skipWithout } from "../../harness/peers.ts";
import { statusOf } from "../../harness/plugin-status.ts";
import { signalUnlessEnded, processEnd } from "../../harness/process-end.ts";
import { untilStatus } from "../../harness/status-watch.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";
import { LayerClient } from "./layer-client.ts";
import { beginStalled, mountedBind, smallLayer, stallingConfig, tempMountsOf } from "./stalled-apply.ts";

const skip = skipWithout({ root: true });
/** Of a file with nothing in it. */
const hugeBytes = 2 ** 40;

async function applySmall(daemon: BulkheadDaemon, mounts: ReturnType<typeof mountedBind>): Promise<void> {
  using client = new LayerClient(daemon.address);
  await client.apply(await client.store(smallLayer), mounts);
}

test("a client that vanishes ends its apply, and the next one of the same mounts finds nothing mounted", {
  skip,
}, async () => {
  await using folder = await makeTempFolder("v");
  await using daemon = await startBulkhead({ config: stallingConfig(folder) });
  const mounts = mountedBind(folder, "tree");
  const stalled = await beginStalled(daemon, folder, mounts);
  assert.equal(tempMountsOf(daemon.root).length, 1);
  stalled.client[Symbol.dispose]();
  assert.ok(isHostError(await stalled.failed));
  await applySmall(daemon, mounts);
  assert.deepEqual(tempMountsOf(daemon.root), []);
  assert.deepEqual(readdirSync(folder.join("tree")), ["small"]);
  assert.deepEqual(await processesNaming(folder.join("started")), []);
});

test("a cancelled apply releases its mount, and one that waited for it goes on", { skip }, async () => {
  await using folder = await makeTempFolder("v");
  await using daemon = await startBulkhead({ config: stallingConfig(folder) });
  const mounts = mountedBind(folder, "tree");
  const stalled = await beginStalled(daemon, folder, mounts);
  const next = applySmall(daemon, mounts);
  // Of other mounts none waits.
  await applySmall(daemon, mountedBind(folder, "other"));
  stalled.stop.abort();
  assert.ok(isHostError(await stalled.failed, "canceled"));
  await next;
  assert.deepEqual(tempMountsOf(daemon.root), []);
  stalled.client[Symbol.dispose]();
});

test("a cancelled apply ends though its program has left something behind that holds its pipes", { skip }, async () => {
  await using folder = await makeTempFolder("v");
  // Ends by itself soon after the test, should the daemon not end it.
  await using daemon = await startBulkhead({ config: stallingConfig(folder, "sleep 100 &") });
  const mounts = mountedBind(folder, "tree");
  const stalled = await beginStalled(daemon, folder, mounts);
  stalled.stop.abort();
  assert.ok(isHostError(await stalled.failed, "canceled"));
  await applySmall(daemon, mounts);
  assert.deepEqual(tempMountsOf(daemon.root), []);
  stalled.client[Symbol.dispose]();
});

test("a router that is killed ends the applies it carried", { skip }, async () => {
  await using folder = await makeTempFolder("v");
  await using daemon = await startBulkhead({ config: stallingConfig(folder) });
  const mounts = mountedBind(folder, "tree");
  const stalled = await beginStalled(daemon, folder, mounts);
  const parts = JSON.parse(await readFile(`${daemon.state}/parts.json`, "utf8")) as Record<string, { pid: number }>;
  process.kill(parts["router"]?.pid ?? 0, "SIGKILL");
  assert.ok(isHostError(await stalled.failed, "unavailable"));
  stalled.client[Symbol.dispose]();
  await applySmall(daemon, mounts);
  assert.deepEqual(tempMountsOf(daemon.root), []);
});

test("a differ that is killed leaves no mount behind once it is back", { skip }, async () => {
  await using folder = await makeTempFolder("v");
  await using daemon = await startBulkhead({ config: stallingConfig(folder) });
  const mounts = mountedBind(folder, "tree");
  const stalled = await beginStalled(daemon, folder, mounts);
  const { pid, generation } = await statusOf(daemon, "differ");
  process.kill(Number(pid), "SIGKILL");
  assert.ok(isHostError(await stalled.failed, "unavailable"));
  stalled.client[Symbol.dispose]();
  await untilStatus(daemon, "differ", (status) => status.generation > generation && status.state === "ready");
  assert.deepEqual(tempMountsOf(daemon.root), []);
  await applySmall(daemon, mounts);
});

test("a daemon that is killed whole leaves no mount behind once it is back", { skip }, async () => {
  await using folder = await makeTempFolder("v");
  const config = stallingConfig(folder);
  const first = await startBulkhead({ config, folder });
  const mounts = mountedBind(folder, "tree");
  const stalled = await beginStalled(first, folder, mounts);
  const pids = (await processesNaming(folder.path)).map((line) => Number(line.split(" ")[1]));
  // All stand still before the first dies: none has the time to tidy up after another.
  for (const pid of pids) signalUnlessEnded(pid, "SIGSTOP");
  for (const pid of pids) signalUnlessEnded(pid, "SIGKILL");
  for (const pid of pids) await processEnd(pid);
  await stalled.failed;
  stalled.client[Symbol.dispose]();
  assert.equal(tempMountsOf(first.root).length, 1);
  await using second = launchBulkhead(folder, await prepareBulkhead(folder, { config }));
  await second.output.waitFor(/successfully booted in/, 30_000);
  assert.deepEqual(tempMountsOf(first.root), []);
  second.kill("SIGTERM");
  await second.waitForExit(20_000);
  await assertNothingLeft(folder.path);
});

test("a differ that is told to end releases what it has mounted, and drops the layer that it was making", {
  skip,
}, async () => {
  await using folder = await makeTempFolder("v");
  await using daemon = await startBulkhead({ config: stallingConfig(folder) });
  const stalled = await beginStalled(daemon, folder, mountedBind(folder, "tree"));
  using client = new LayerClient(daemon.address);
  const diff = beginEndlessDiff(client, folder);
  await untilUploads(client, (count) => count === 1 && tempMountsOf(daemon.root).length > 1);
  const { pid, generation } = await statusOf(daemon, "differ");
  process.kill(Number(pid), "SIGTERM");
  for (const failure of [await stalled.failed, await diff]) assert.ok(isHostError(failure), String(failure));
  stalled.client[Symbol.dispose]();
  await untilStatus(daemon, "differ", (status) => status.generation > generation && status.state === "ready");
  assert.deepEqual(tempMountsOf(daemon.root), []);
  await untilUploads(client, (count) => count === 0);
});

/** Begins a layer of a file that nobody has the time to read; gives how it ended. */
function beginEndlessDiff(client: LayerClient, folder: TempFolder): Promise<unknown> {
  const [left, right] = [mountedBind(folder, "left"), mountedBind(folder, "right")];
  const huge = folder.join("right", "huge");
  writeFileSync(huge, "");
  truncateSync(huge, hugeBytes);
  return client.diff.diff({ left, right }, client.options).catch((error: unknown) => error);
}

/** Asks, call upon call, until there are as many uploads as are expected. */
async function untilUploads(client: LayerClient, isExpected: (count: number) => boolean): Promise<void> {
  const end = performance.now() + defaultDeadlineMs;
  for (;;) {
    const { statuses } = await client.content.listStatuses({}, client.options);
    if (isExpected(statuses.length)) return;
    assert.ok(performance.now() < end, `there are ${statuses.length} uploads`);
  }
}
