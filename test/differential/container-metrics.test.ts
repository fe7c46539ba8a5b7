import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { ctr } from "../harness/ctr.ts";
import { defaultDeadlineMs } from "../harness/deadline.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { makeRootfs, removeRuncFolders, runtimePath, runtimePeers } from "../harness/runtime.ts";
import { startStock, type Daemon } from "../harness/stock-daemon.ts";
import { untilStatus } from "../harness/status-watch.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

/** The same containers on a stock daemon and ours: the same metrics, by name, labels and help. */

const skip = skipWithout({ peers: ["containerd", ...runtimePeers], root: true, cgroups: true });
const prefix = "container-metrics";

interface Scraped {
  readonly daemon: Daemon;
  readonly namespace: string;
  readonly port: number;
}

const owned = new AsyncDisposableStack();
const targets: Scraped[] = [];
let rootfs = "";

before(async () => {
  if (skip !== false) return;
  const folder = owned.use(await makeTempFolder("m"));
  rootfs = folder.join("rootfs");
  await makeRootfs(rootfs);
  const env = { PATH: runtimePath() };
  const [one, two] = [await freePort(), await freePort()];
  const stock = owned.use(await startStock({ env, config: `[metrics]\naddress = "127.0.0.1:${one}"` }));
  targets.push({ daemon: stock, namespace: `${prefix}-a`, port: one });
  const ours = owned.use(await startBulkhead({ env, config: `metrics: { address: "127.0.0.1:${two}" }\n` }));
  targets.push({ daemon: ours, namespace: `${prefix}-b`, port: two });
});
after(async () => {
  await owned.disposeAsync();
  if (skip === false) await removeRuncFolders(prefix);
});

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function run({ daemon, namespace }: Scraped, ...words: readonly string[]): Promise<void> {
  const { code, stderr } = await ctr(daemon.address, words, { namespace });
  assert.equal(code, 0, `${daemon.name}: ctr ${words.join(" ")}: ${stderr}`);
}

/** Lines about containers, values left out and namespaces made alike, in order; scraped until they are so. */
async function scrape(target: Scraped, isSo: (lines: readonly string[]) => boolean): Promise<readonly string[]> {
  const end = Date.now() + defaultDeadlineMs;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${target.port}/v1/metrics`);
    const lines = (await answer.text())
      .split("\n")
      .filter((line) => /^(# \w+ )?container_/.test(line))
      .map((line) => (line.startsWith("#") ? line : line.slice(0, line.lastIndexOf(" "))))
      .map((line) => line.replaceAll(target.namespace, "<ns>"));
    if (isSo(lines)) return lines.toSorted();
    assert.ok(Date.now() < end, `${target.daemon.name}:\n${lines.join("\n")}`);
  }
}

/** Starts a container that sleeps. */
async function start(target: Scraped, id: string, runtime: string): Promise<void> {
  const limits = ["--runtime", runtime, "--memory-limit", "67108864"];
  await run(target, "run", "-d", "--null-io", ...limits, "--rootfs", rootfs, id, "/bin/sleep", "1000");
}

async function remove(target: Scraped, id: string): Promise<void> {
  await run(target, "task", "rm", "-f", id);
  await run(target, "containers", "rm", id);
}

/** Whether lines tell of these containers, runtimes included. */
const tellOf =
  (...ids: readonly string[]) =>
  (lines: readonly string[]): boolean =>
    ids.every((id) => lines.some((line) => line.includes(`container_id="${id}"`) && line.includes("runtime=")));
const samples = (lines: readonly string[]) => lines.filter((line) => !line.startsWith("#"));

test("containers of two runtimes have the metrics that stock has, and none when they are gone", { skip }, async () => {
  const scraped = targets.map(async (target) => {
    await start(target, "two", "io.containerd.runc.v2");
    await start(target, "one", "io.containerd.runc.v1");
    const running = await scrape(target, tellOf("one", "two"));
    for (const id of ["one", "two"]) await remove(target, id);
    return { running, gone: samples(await scrape(target, (lines) => samples(lines).length === 0)) };
  });
  const [stock, ours] = await Promise.all(scraped);
  // A family without samples is not shown by ours.
  const shown = stock?.running.filter((line) => !/^# \w+ container_memory_oom_total /.test(line));
  assert.deepEqual(ours?.running, shown);
  assert.deepEqual(ours?.gone, []);
});

test("metrics outlive the tasks package, and are back when monitors is", { skip }, async () => {
  const target = targets.find(({ daemon }) => daemon.name === "bulkhead");
  assert.ok(target !== undefined);
  const daemon = target.daemon as BulkheadDaemon;
  await start(target, "kept", "io.containerd.runc.v2");
  const before = await scrape(target, tellOf("kept"));
  const tasks = await statusOf(daemon, "tasks");
  process.kill(Number(tasks.pid), "SIGKILL");
  assert.deepEqual(await scrape(target, () => true), before);
  const monitors = await statusOf(daemon, "monitors");
  process.kill(Number(monitors.pid), "SIGKILL");
  await untilStatus(
    daemon,
    "monitors",
    ({ generation, state }) => generation > monitors.generation && state === "ready",
  );
  assert.deepEqual(await scrape(target, tellOf("kept")), before);
  await untilStatus(daemon, "tasks", ({ generation, state }) => generation > tasks.generation && state === "ready");
  await remove(target, "kept");
  await scrape(target, (lines) => samples(lines).length === 0);
});
