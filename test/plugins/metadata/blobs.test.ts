import assert from "node:assert/strict";
import { test } from "node:test";
import { Blobs } from "#proto/gen/bulkhead/blobs/v1/blobs_pb.ts";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { isHostError, type ErrorKind } from "#proto/wire/errors.ts";
import { commitOf } from "../../../plugins/metadata/content/commits.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf, exchange, uploadOf } from "./content-client.ts";
import { inNamespace, startMetadata, type MetadataServer } from "./metadata-server.ts";

const one = inNamespace("one");
const two = inNamespace("two");
const hello = Buffer.from("hello");
const digest = digestOf(hello);

const refused = (kind: ErrorKind) => (error: unknown) => isHostError(error, kind);

/** Puts the bytes into the store as the content package would, up to but without its commit. */
async function writeIngest({ store }: MetadataServer, storeRef: string, data: Uint8Array) {
  const writer = await store.openWriter(storeRef, 0n, AbortSignal.timeout(10_000));
  await writer.write(data);
  return writer;
}

test("Begin wants a namespace, a ref and a lease that exists, and names the ingest", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const blobs = metadata.client(Blobs);
  await assert.rejects(blobs.begin({ ref: "r" }), refused("failed-precondition"));
  await assert.rejects(blobs.begin({ ref: "r" }, inNamespace("bad/ns")), refused("invalid-argument"));
  await assert.rejects(blobs.begin({}, one), refused("invalid-argument"));
  await assert.rejects(blobs.begin({ ref: "r" }, inNamespace("one", "none")), refused("not-found"));
  assert.equal(metadata.database.has(tables.ingest, ["one", "r"]), false);
  const { storeRef, shared } = await blobs.begin({ ref: "r", expected: "no digest" }, one);
  assert.deepEqual([storeRef, shared], ["one/1/r", false]);
});

test("Begin refuses what the namespace has, and offers what another has", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const blobs = metadata.client(Blobs);
  await exchange(metadata.client(Content), uploadOf("r", hello), one);
  await assert.rejects(blobs.begin({ ref: "s", expected: digest }, one), refused("already-exists"));
  const { shared, size } = await blobs.begin({ ref: "s", expected: digest }, two);
  assert.deepEqual([shared, size], [true, 5n]);
});

test("Commit may be asked again after its answer was lost, a number that was never given may not", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const blobs = metadata.client(Blobs);
  const { storeRef } = await blobs.begin({ ref: "r" }, one);
  await using writer = await writeIngest(metadata, storeRef, hello);
  const { intent } = await blobs.prepare({ ref: "r", digest, size: 5n, labels: { a: "1" } }, one);
  await metadata.store.commit(writer, { size: 5n, expected: digest });
  await assert.rejects(blobs.commit({ ref: "r", intent: intent + 1n }, one), refused("not-found"));
  for (let time = 0; time < 3; time++) await blobs.commit({ ref: "r", intent }, one);
  const { info } = await metadata.client(Content).info({ digest }, one);
  assert.deepEqual(info?.labels, { a: "1" });
});

test("Prepare refuses bad labels, digests and leases and leaves no intent", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const blobs = metadata.client(Blobs);
  const labels = { k: "v".repeat(5000) };
  await assert.rejects(blobs.prepare({ ref: "r", digest, size: 5n, labels }, one), refused("invalid-argument"));
  await assert.rejects(blobs.prepare({ ref: "r", digest: "x", size: 5n }, one), refused("invalid-argument"));
  await assert.rejects(blobs.prepare({ ref: "r", digest, size: 5n }, inNamespace("one", "none")), refused("not-found"));
  assert.deepEqual(Array.from(metadata.database.range(tables.contentIntent, [])), []);
});

test("a second Prepare of an ingest settles the first one: what the store committed is not lost", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const blobs = metadata.client(Blobs);
  const { storeRef } = await blobs.begin({ ref: "r" }, one);
  const writer = await writeIngest(metadata, storeRef, hello);
  const first = await blobs.prepare({ ref: "r", digest, size: 5n }, one);
  await metadata.store.commit(writer, { size: 5n, expected: digest });
  await blobs.begin({ ref: "r" }, one);
  await using _ = await writeIngest(metadata, storeRef, Buffer.from("other"));
  const second = await blobs.prepare({ ref: "r", digest: digestOf("other"), size: 5n }, one);
  assert.ok(second.intent > first.intent);
  assert.equal((await metadata.client(Content).info({ digest }, one)).info?.size, 5n);
  await blobs.commit({ ref: "r", intent: first.intent }, one);
});

test("an intent whose ingest is still there stays open over a restart, one without either is dropped", async () => {
  await using folder = await makeTempFolder("md");
  {
    await using metadata = await startMetadata(folder.path);
    const blobs = metadata.client(Blobs);
    const { storeRef } = await blobs.begin({ ref: "open" }, one);
    await using _ = await writeIngest(metadata, storeRef, hello);
    await blobs.prepare({ ref: "open", digest, size: 5n }, one);
    await blobs.begin({ ref: "lost" }, one);
    await blobs.prepare({ ref: "lost", digest: digestOf("lost"), size: 4n }, one);
  }
  await using metadata = await startMetadata(folder.path);
  await metadata.settle();
  const open = Array.from(metadata.database.range(tables.contentIntent, []), ({ value }) => commitOf(value).ref);
  assert.deepEqual(open, ["open"]);
});

test("of 16 clients that commit one blob at once one succeeds, the others hear that it is there", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 16 }, (_, index) => {
      const write = { action: WriteAction.WRITE, data: hello };
      return exchange(content, [{ ref: `r${index}` }, write, { action: WriteAction.COMMIT, offset: 5n }], one);
    }),
  );
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  assert.equal(failures.length, 15);
  assert.ok(failures.every(refused("already-exists")), String(failures[0]));
  assert.deepEqual((await content.listStatuses({}, one)).statuses, []);
  assert.deepEqual(await metadata.store.statuses(), []);
});
