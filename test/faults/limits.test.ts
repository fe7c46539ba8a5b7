import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { PackageExitSchema, PackageLimitSchema } from "#proto/gen/bulkhead/events/v1/plugin_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import type { Envelope } from "#proto/gen/containerd/types/types_pb.ts";
import { unpackAny } from "#proto/wire/any.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { showPackageJson, untilStatus } from "../harness/status-watch.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

const skip = skipWithout({ cgroups: true });
const leakLimitBytes = 48 * 1024 * 1024;
const forksLimit = 12;

let folder: TempFolder;
let daemon: BulkheadDaemon;

before(async () => {
  if (skip !== false) return;
  folder = await makeTempFolder("l");
  const broken = ["leaks-memory", "forks-to-limit", "burns-cpu"];
  const config = await packageFolder(folder, { broken });
  daemon = await startBulkhead({ folder, config: `${config}boot: { wait: 2s }\n`, args: ["-l", "debug"] });
});

after(async () => {
  if (skip !== false) return;
  await daemon[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

test("a package that leaks memory is killed at its limit, and its status says that it was for memory", {
  skip,
}, async () => {
  const status = await untilStatus(daemon, "leaks-memory", ({ state }) => state === "backoff");
  assert.match(status.reason, /out of memory.*limits\.memory/);
  assert.deepEqual([status.lastExit?.signal, status.lastExit?.oomKilled], ["SIGKILL", true]);
  const { crashes } = await showPackageJson(daemon, "leaks-memory");
  assert.equal(crashes.last?.exit.oomKilled, true);
  const peak = crashes.last.memoryPeakBytes;
  assert.ok(peak <= leakLimitBytes && peak > leakLimitBytes / 2, `a peak of ${peak} bytes`);
});

test("a package that forks is stopped at its limit of processes, and says what to do", { skip }, async () => {
  const line = await daemon.child.output.waitFor(/after (\d+) children/);
  assert.equal(Number(/after (\d+)/.exec(line)?.[1]), forksLimit - 1);
  await daemon.child.output.waitFor(/plugin is at its limit.*plugin=forks-to-limit/);
  const { notes } = await showPackageJson(daemon, "forks-to-limit");
  assert.match(notes.join(), /1 forks or threads failed at limits\.pids \(12\): raise the limit/);
});

test("a package over its CPU share is slowed and not killed, and says so", { skip }, async () => {
  await daemon.child.output.waitFor(/plugin is at its limit.*plugin=burns-cpu/);
  const { notes } = await showPackageJson(daemon, "burns-cpu");
  assert.match(notes.join(), /limits\.cpu \(0\.05\) in \d+ periods: its calls are slowed/);
  const status = await statusOf(daemon, "burns-cpu");
  assert.equal(status.state, "ready");
  const [userTicks = 0, systemTicks = 0] = await cpuTicks(Number(status.pid));
  const livedMs = Date.now() - Number((status.since?.seconds ?? 0n) * 1000n);
  // 100 ticks a second; a fair margin above a twentieth.
  assert.ok((userTicks + systemTicks) * 10 < livedMs * 0.2, `${userTicks + systemTicks} ticks in ${livedMs} ms`);
});

test("limits and exits are events to those who name their topics, and to nobody else", { skip }, async () => {
  using channel = connect(daemon.address);
  const seen: Envelope[] = [];
  const others: Envelope[] = [];
  const over = new AbortController();
  const exit = Promise.withResolvers<Envelope>();
  const events = clientOf(Events, channel);
  const listen = async (filters: string[], list: Envelope[]) => {
    try {
      for await (const envelope of events.subscribe({ filters }, { signal: over.signal })) {
        list.push(envelope);
        if (envelope.topic === "/bulkhead/plugin/exit") exit.resolve(envelope);
      }
    } catch (error) {
      if (!over.signal.aborted) throw error;
    }
  };
  const naming = ['topic~="^/bulkhead/plugin/"', 'topic=="/test/marker"'];
  const listening = [listen(naming, seen), listen([], others)];
  // A subscription hears what is published after it was made: markers, until both have heard one.
  const event = { typeUrl: "test.Marker", value: new Uint8Array() };
  for (const end = performance.now() + 10_000; seen.length === 0 || others.length === 0; ) {
    assert.ok(performance.now() < end, "no subscription has heard a marker");
    await events.publish({ topic: "/test/marker", event }, { metadata: { "containerd-namespace": "test" } });
  }
  process.kill(Number((await statusOf(daemon, "burns-cpu")).pid), "SIGKILL");
  const killed = await exit.promise;
  const payload = killed.event && unpackAny(PackageExitSchema, killed.event);
  assert.deepEqual(
    [payload?.package, payload?.signal, payload?.code, payload?.asked],
    ["burns-cpu", "SIGKILL", -1, false],
  );
  assert.equal(killed.namespace, "bulkhead");
  // The new generation burns on.
  const limit = await limitEvent(daemon, seen);
  assert.deepEqual(
    [limit?.package, limit?.resource, limit?.limit, limit?.generation],
    ["burns-cpu", "cpu", "0.05", 2n],
  );
  over.abort();
  await Promise.all(listening);
  assert.deepEqual([...new Set(others.map(({ topic }) => topic))], ["/test/marker"]);
});

/** The limit that generation 2 has met. */
async function limitEvent(of: BulkheadDaemon, seen: readonly Envelope[]) {
  const end = performance.now() + 10_000;
  for (;;) {
    const found = seen.flatMap(({ event }) => (event && unpackAny(PackageLimitSchema, event)) ?? []);
    const second = found.find(({ generation }) => generation === 2n);
    if (second !== undefined || performance.now() > end) return second;
    await statusOf(of, "burns-cpu"); // a call's time in which events come in
  }
}

async function cpuTicks(pid: number): Promise<number[]> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  return stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map(Number);
}
