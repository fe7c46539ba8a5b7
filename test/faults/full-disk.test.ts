import assert from "node:assert/strict";
import { open, rm } from "node:fs/promises";
import { test } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { digestOf, patternBytes } from "../differential/blobs.ts";
import { launchBulkhead, prepareBulkhead, startBulkhead } from "../harness/bulkhead-daemon.ts";
import { skipWithout } from "../harness/peers.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";

const skip = skipWithout({ root: true });
const scope = { metadata: { "containerd-namespace": "full" } };
const piece = patternBytes(1024 * 1024);

test("a disk that fills during an ingest: resource-exhausted, nothing committed, nothing leaked", {
  skip,
}, async () => {
  await using folder = await makeTempFolder("d");
  await using _root = await mountTmpfs(folder.join("root"), "48m");
  await using daemon = await startBulkhead({ folder });
  using channel = connect(daemon.address);
  const content = clientOf(Content, channel);
  const requests = async function* () {
    yield { ref: "big", action: WriteAction.STAT };
    for (let at = 0; at < 128; at++)
      yield { action: WriteAction.WRITE, offset: BigInt(at * piece.length), data: piece };
    yield { action: WriteAction.COMMIT, offset: BigInt(128 * piece.length) };
  };
  await assert.rejects(Array.fromAsync(content.write(requests(), scope)), (error) => {
    assert.ok(isHostError(error, "resource-exhausted"), String(error));
    return true;
  });
  assert.deepEqual(await Array.fromAsync(content.list({}, scope)), []);
  const { statuses } = await content.listStatuses({ filters: [] }, scope);
  for (const { ref } of statuses) await content.abort({ ref }, scope);
  // The room is there again.
  const blob = patternBytes(100_000, "small");
  const small = async function* () {
    yield { ref: "small", action: WriteAction.COMMIT, data: blob, expected: digestOf(blob) };
  };
  await Array.fromAsync(content.write(small(), scope));
  assert.equal((await content.info({ digest: digestOf(blob) }, scope)).info?.size, 100_000n);
});

test("a state folder that fills while the daemon runs ends nothing", { skip }, async () => {
  await using folder = await makeTempFolder("d");
  await using state = await mountTmpfs(folder.join("state"), "4m");
  await using daemon = await startBulkhead({ folder });
  await fill(`${state.path}/filler`);
  using channel = connect(daemon.address);
  const namespaces = clientOf(Namespaces, channel);
  await namespaces.create({ namespace: { name: "full" } }, scope);
  assert.ok((await namespaces.list({})).namespaces.some(({ name }) => name === "full"));
  assert.ok(daemon.child.running);
  await rm(`${state.path}/filler`);
});

test("a state folder that is full at the start is named, and everything comes up once there is room", {
  skip,
}, async () => {
  await using folder = await makeTempFolder("d");
  await using state = await mountTmpfs(folder.join("state"), "256k");
  await fill(`${state.path}/filler`);
  await using child = launchBulkhead(folder, await prepareBulkhead(folder));
  const line = await child.output.waitFor(/plugin=metadata.*(ENOSPC|no space)|(ENOSPC|no space).*plugin=metadata/i);
  assert.match(line, /state|space/);
  await rm(`${state.path}/filler`);
  await child.output.waitFor(/(?=.*plugin=metadata)(?=.*to=ready)/, 60_000);
  await child.output.waitFor(/(?=.*plugin=content)(?=.*to=ready)/, 60_000);
  child.kill("SIGTERM");
  assert.equal((await child.waitForExit()).code, 0, child.output.text);
});

/** Writes until there is no room. */
async function fill(path: string): Promise<void> {
  await using file = await open(path, "w");
  for (const size of [65_536, 512, 1]) {
    try {
      for (;;) await file.write(Buffer.alloc(size));
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOSPC") throw error;
    }
  }
}
