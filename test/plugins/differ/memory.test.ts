import assert from "node:assert/strict";
import { createWriteStream, mkdirSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { createGzip } from "node:zlib";
import { isHostError } from "#proto/wire/errors.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { scaled } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { statusOf } from "../../harness/plugin-status.ts";
import { bindOf, LayerClient, ociGzip, ociTar } from "./layer-client.ts";
import { watchPeak } from "./peak-memory.ts";
import { smallLayer } from "./stalled-apply.ts";
import { entryBytes } from "./tar-builder.ts";

const files = scaled(200);
const fileBytes = 2 * 1024 * 1024;
/** Chunks under way and the collector's slack: 3 MiB were seen unpacking and 36 making; the layer has 400. */
const growthLimitMiB = 80;

function* bigLayer(): Generator<Buffer> {
  const data = Buffer.alloc(fileBytes, "some text that compresses well, but is not all the same; ");
  for (let index = 0; index < files; index++) {
    data.writeUInt32LE(index, (index * 4096) % (fileBytes - 4));
    yield entryBytes({ name: `folder-${index % 10}/file-${index}`, data });
  }
  yield Buffer.alloc(1024);
}

test("memory stays flat whatever the layer, and other calls are answered meanwhile", {
  skip: skipWithout({ root: true }),
  timeout: 300_000,
}, async () => {
  await using daemon = await startBulkhead();
  using client = new LayerClient(daemon.address);
  const file = daemon.folder.join("layer.tar.gz");
  await pipeline(bigLayer(), createGzip({ level: 1 }), createWriteStream(file));
  const [target, warm] = [daemon.folder.join("target"), daemon.folder.join("warm")];
  for (const path of [target, warm]) mkdirSync(path);
  await client.apply(await client.store(smallLayer), bindOf(warm));
  const blob = await client.store({ path: file }, ociGzip);
  const pid = Number((await statusOf(daemon, "differ")).pid);
  const growthMiB = await watchPeak(pid);

  let running = true;
  const work = async (): Promise<void> => {
    const deadlineMs = Date.now() + 250_000;
    const applied = await client.apply(blob, bindOf(target), { deadlineMs });
    assert.ok((applied?.size ?? 0n) > BigInt(files * fileBytes));
    const labels = { "containerd.io/gc.root": "test" };
    const request = { left: [], right: bindOf(target), mediaType: ociTar, labels };
    const { diff } = await client.diff.diff(request, { ...client.options, deadlineMs });
    assert.ok((diff?.size ?? 0n) > BigInt(files * fileBytes));
  };
  const done = work().finally(() => (running = false));
  let answered = 0;
  const absent = { mediaType: ociTar, digest: `sha256:${"0".repeat(64)}`, size: 1n };
  while (running) {
    const failure: unknown = await client.apply(absent, bindOf(warm)).catch((error: unknown) => error);
    assert.ok(isHostError(failure, "not-found"), String(failure));
    answered++;
  }
  await done;
  assert.ok(answered > 20, `${answered} calls were answered meanwhile`);
  const growth = await growthMiB();
  assert.ok(growth < growthLimitMiB, `the differ grew by ${growth} MiB`);
});
