import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { isHostError } from "#proto/wire/errors.ts";
import { Turns } from "../../../plugins/differ/turns.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { skipWithout } from "../../harness/peers.ts";
import { bindOf, LayerClient, ociGzip, ociTar } from "./layer-client.ts";
import { tarOf } from "./tar-builder.ts";

test("more layers than threads are unpacked at once, each to its own folder, flushed to the disk", {
  skip: skipWithout({ root: true }),
}, async () => {
  const config = `
plugins:
  io.containerd.differ.v1.walking: { max_concurrent: 2 }
  io.containerd.service.v1.diff-service: { sync_fs: true }
`;
  await using daemon = await startBulkhead({ config });
  using client = new LayerClient(daemon.address);
  const one = async (index: number): Promise<void> => {
    const target = daemon.folder.join(`many-${index}`);
    mkdirSync(target);
    const entries = Array.from({ length: 50 }, (_, file) => ({ name: `f-${index}-${file}`, data: `${index} ${file}` }));
    const layer = tarOf(entries);
    const applied = await client.apply(await client.store(gzipSync(layer), ociGzip), bindOf(target));
    assert.equal(applied?.size, BigInt(layer.length));
    assert.equal(readdirSync(target).filter((name) => name.startsWith(`f-${index}-`)).length, 50);
    const request = { left: [], right: bindOf(target), mediaType: ociTar, labels: { "containerd.io/gc.root": "test" } };
    const { diff } = await client.diff.diff(request, client.options);
    assert.ok((diff?.size ?? 0n) > 50n * 1024n);
  };
  await Promise.all(Array.from({ length: 12 }, (_, index) => one(index)));
});

test("turns of one key follow one another, whatever becomes of those before, and of others do not wait", async () => {
  const turns = new Turns();
  const never = new AbortController().signal;
  const order: string[] = [];
  const first = Promise.withResolvers<void>();
  const failed = turns.run("a", never, () => first.promise);
  const second = turns.run("a", never, async () => void order.push("second"));
  const gone = new AbortController();
  const third = turns.run("a", gone.signal, async () => void order.push("third"));
  const fourth = turns.run("a", never, async () => void order.push("fourth"));
  await turns.run("b", never, async () => void order.push("other"));
  gone.abort(new Error("gone"));
  first.reject(new Error("failed"));
  await assert.rejects(failed, /failed/);
  await assert.rejects(third, /gone/);
  await Promise.all([second, fourth]);
  assert.deepEqual(order, ["other", "second", "fourth"]);
});

test("callers that go away while they wait for a thread give their place up", {
  skip: skipWithout({ root: true }),
  timeout: 120_000,
}, async () => {
  await using daemon = await startBulkhead({
    config: "plugins: { io.containerd.differ.v1.walking: { max_concurrent: 1 } }\n",
  });
  using client = new LayerClient(daemon.address);
  const target = daemon.folder.join("target");
  mkdirSync(target);
  const blob = await client.store(tarOf([{ name: "x", data: "x".repeat(100_000) }]));
  const stop = new AbortController();
  const answers = await Promise.allSettled(
    Array.from({ length: 60 }, (_, index) => {
      const path = `${target}/${index}`;
      mkdirSync(path);
      const answer = client.apply(blob, bindOf(path), { signal: stop.signal });
      if (index === 59) stop.abort();
      return answer;
    }),
  );
  for (const answer of answers) assert.ok(answer.status === "fulfilled" || isHostError(answer.reason, "canceled"));
  // Those that went away while they waited have given their place up.
  await client.apply(blob, bindOf(target));
});
