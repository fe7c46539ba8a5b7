import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../../harness/bulkhead-daemon.ts";
import { scaled } from "../../harness/deadline.ts";
import { listPlugins } from "../../harness/plugin-status.ts";
import { patternBytes } from "../../differential/blobs.ts";

const mebibyte = 1024 * 1024;
const pieces = scaled(512);
/** Windows, buffers of a few pieces, and the heap of calls: 7 MiB were seen; the blob has 512 MiB. */
const growthLimitMiB = 24;
const scope = { metadata: { "containerd-namespace": "memory" } };

/** Pids of router and packages by name. */
async function pidsOf(daemon: BulkheadDaemon): Promise<ReadonlyMap<string, number>> {
  const plugins = await listPlugins(daemon);
  const parts = JSON.parse(await readFile(`${daemon.state}/parts.json`, "utf8")) as Record<string, { pid: number }>;
  const running = plugins.filter(({ pid }) => pid > 0n);
  const packages = running.map(({ package: name, pid }) => [name, Number(pid)] as const);
  return new Map([...packages, ["router", parts["router"]?.pid ?? 0]]);
}

/** Peak of resident memory since it was last reset, in MiB. */
async function peakMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

/** Runs `work`; fails when one of the processes grew by more than the limit meanwhile. */
async function staysFlat(pids: ReadonlyMap<string, number>, work: () => Promise<void>): Promise<void> {
  const before = new Map<string, number>();
  for (const [name, pid] of pids) {
    await writeFile(`/proc/${pid}/clear_refs`, "5"); // resets the peak, proc(5)
    before.set(name, await peakMiB(pid));
  }
  await work();
  for (const [name, pid] of pids) {
    const growth = (await peakMiB(pid)) - (before.get(name) ?? 0);
    assert.ok(growth < growthLimitMiB, `${name} grew by ${growth} MiB`);
  }
}

test("a blob of half a gibibyte passes in and out with memory flat in every process", {
  timeout: 300_000,
}, async () => {
  await using daemon = await startBulkhead();
  using channel = connect(daemon.address);
  const content = clientOf(Content, channel);
  const piece = patternBytes(mebibyte);
  const pids = await pidsOf(daemon);
  const expected = ["content", "control", "events", "metadata", "router"];
  assert.deepEqual(
    expected.filter((name) => !pids.has(name)),
    [],
  );
  let digest = "";
  await staysFlat(pids, async () => {
    const requests = (async function* () {
      yield { ref: "large", action: WriteAction.STAT };
      for (let at = 0; at < pieces; at++) {
        yield { action: WriteAction.WRITE, offset: BigInt(at) * BigInt(mebibyte), data: piece };
      }
      yield { action: WriteAction.COMMIT, offset: BigInt(pieces) * BigInt(mebibyte) };
    })();
    for await (const answer of content.write(requests, scope)) digest = answer.digest;
  });
  await staysFlat(pids, async () => {
    let bytes = 0;
    for await (const { data } of content.read({ digest }, scope)) bytes += data.length;
    assert.equal(bytes, pieces * mebibyte);
  });
});
