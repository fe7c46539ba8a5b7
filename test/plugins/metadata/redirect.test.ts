import assert from "node:assert/strict";
import { test } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect, type Metadata } from "#rpc";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf, exchange, readAll, uploadOf } from "./content-client.ts";
import { inNamespace, startMetadata } from "./metadata-server.ts";

const one = inNamespace("one");
const routed = { metadata: { ...one.metadata, "bulkhead-caller": "uid:0" } };
/** What the router makes of a redirected call. */
const replayed = { metadata: { ...routed.metadata, "bulkhead-namespaced": "1" } };
const hello = Buffer.from("hello");

test("the router's reads and writes are sent on to the content package, once the blob is known to be visible", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path, { storePackage: "content" });
  const content = metadata.client(Content);
  await exchange(content, uploadOf("r", hello), one);
  const trailersOf = async (call: (onMetadata: (metadata: Metadata) => void) => Promise<unknown>) => {
    const trailers: Record<string, string> = {};
    await assert.rejects(
      call((metadata_) => void Object.assign(trailers, metadata_)),
      (error) => isHostError(error, "unavailable"),
    );
    return { to: trailers["bulkhead-redirect"], set: trailers["bulkhead-set-bulkhead-namespaced"] };
  };
  const order = { to: "content", set: "1" };
  const read = await trailersOf((onMetadata) => readAll(content, digestOf(hello), { ...routed, onMetadata }));
  assert.deepEqual(read, order);
  const write = await trailersOf((onMetadata) => exchange(content, [{ ref: "x" }], { ...routed, onMetadata }));
  assert.deepEqual(write, order);
  await assert.rejects(readAll(content, digestOf("unseen"), routed), (error) => isHostError(error, "not-found"));
});

test("another store is never redirected to, and other callers than the router never are", async () => {
  await using folder = await makeTempFolder("md");
  await using foreign = await startMetadata(folder.path, { storePackage: "acme-store" });
  const content = foreign.client(Content);
  await exchange(content, uploadOf("r", hello), routed);
  assert.deepEqual(await readAll(content, digestOf(hello), routed), hello);
});

test("a redirected write ends in the namespace by Begin, Prepare and Commit", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path, { storePackage: "content" });
  using channel = connect(folder.join("content.sock"));
  const store = clientOf(Content, channel);
  const answers = await exchange(store, uploadOf("r", hello, { a: "1" }), replayed);
  assert.equal(answers.at(-1)?.action, WriteAction.COMMIT);
  const content = metadata.client(Content);
  const { info } = await content.info({ digest: digestOf(hello) }, one);
  assert.deepEqual([info?.size, info?.labels], [5n, { a: "1" }]);
  assert.deepEqual((await content.listStatuses({}, one)).statuses, []);
  await assert.rejects(exchange(store, uploadOf("again", hello), replayed), (error) => {
    assert.ok(isHostError(error, "already-exists"));
    return true;
  });
});

test("a write whose blob came to be and whose ingest is gone meanwhile is told that the blob is there", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path, { storePackage: "content" });
  using channel = connect(folder.join("content.sock"));
  const content = metadata.client(Content);
  const begun = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const requests = (async function* () {
    yield { ref: "late" };
    begun.resolve();
    await gone.promise;
    yield { action: WriteAction.WRITE, data: hello, expected: digestOf(hello) };
  })();
  const late = Array.fromAsync(clientOf(Content, channel).write(requests, replayed));
  const refused = assert.rejects(late, (error) => isHostError(error, "already-exists"));
  await begun.promise;
  await exchange(content, uploadOf("early", hello), one);
  await content.abort({ ref: "late" }, one);
  gone.resolve();
  await refused;
});
