import assert from "node:assert/strict";
import { test } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { isHostError, type ErrorKind } from "#proto/wire/errors.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf, exchange, readAll, uploadOf } from "./content-client.ts";
import { inNamespace, startMetadata, type MetadataServer } from "./metadata-server.ts";

const one = inNamespace("one");
const two = inNamespace("two");
const hello = Buffer.from("hello");

const refusal = (kind: ErrorKind, text: RegExp) => (error: unknown) => {
  assert.ok(isHostError(error, kind), String(error));
  assert.match(error.message, text);
  return true;
};

test("a blob is seen by the namespace that committed it and by no other", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  await exchange(content, uploadOf("r", hello, { a: "1" }), one);
  assert.deepEqual((await content.info({ digest: digestOf(hello) }, one)).info?.labels, { a: "1" });
  assert.deepEqual(await readAll(content, digestOf(hello), one), hello);
  await assert.rejects(content.info({ digest: digestOf(hello) }, two), refusal("not-found", /content digest/));
  await assert.rejects(readAll(content, digestOf(hello), two), refusal("not-found", /content digest/));
});

test("the store never sees a client's bare ref", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  for (const options of [one, two]) await exchange(content, [{ ref: "../same" }], options);
  const refs = (await metadata.store.statuses()).map(({ ref }) => ref);
  assert.deepEqual(refs.sort(), ["one/1/../same", "two/1/../same"]);
});

test("a shared blob needs no bytes; under the isolated policy it does, and its size has to be right", async () => {
  for (const shares of [true, false]) {
    await using folder = await makeTempFolder("md");
    await using metadata = await startMetadata(folder.path, { shares });
    const content = metadata.client(Content);
    await exchange(content, uploadOf("r", hello), one);
    const expected = digestOf(hello);
    const [offered] = await exchange(content, [{ ref: "s", expected, total: 5n }], two);
    assert.equal(offered?.offset, shares ? 5n : 0n);
    const [mismatch] = await exchange(content, [{ ref: "t", expected, total: 6n }], two);
    assert.equal(mismatch?.offset, 0n);
    if (!shares) continue;
    const commit = { action: WriteAction.COMMIT, offset: 5n, expected };
    await exchange(content, [{ ref: "s", expected, total: 5n }, commit], two);
    assert.deepEqual(await readAll(content, expected, two), hello);
  }
});

test("a client that goes on writing behind a shared blob gets an ingest that begins with it", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  await exchange(content, uploadOf("r", hello), one);
  const more = { action: WriteAction.WRITE, offset: 5n, data: Buffer.from(" world") };
  const start = { ref: "s", expected: digestOf(hello) };
  const answers = await exchange(content, [start, more, { action: WriteAction.STAT }], two);
  assert.equal(answers.at(-1)?.offset, 11n);
  assert.equal(answers.at(-1)?.digest, digestOf("hello world"));
});

test("an ingest goes on where it stopped, after a disconnect and after a cancelled call", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  await exchange(content, [{ ref: "r" }, { action: WriteAction.WRITE, data: Buffer.from("hel") }], one);
  const stop = new AbortController();
  const requests = (async function* () {
    yield { ref: "r" };
    yield { action: WriteAction.WRITE, offset: 3n, data: Buffer.from("l") };
    await new Promise<never>(() => {});
  })();
  await assert.rejects(async () => {
    for await (const answer of content.write(requests, { ...one, signal: stop.signal })) {
      if (answer.offset === 4n) stop.abort();
    }
  });
  const [resumed] = await exchange(content, [{ ref: "r" }], one);
  assert.equal(resumed?.offset, 4n);
  assert.equal(resumed?.digest, digestOf("hell"));
});

test("what a wrong size, digest or label refuses can be put right and committed", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  const write = { action: WriteAction.WRITE, data: hello };
  const commit = { action: WriteAction.COMMIT, offset: 5n };
  const attempt = (end: object) => exchange(content, [{ ref: "r" }, write, { ...commit, ...end }], one);
  await assert.rejects(attempt({ total: 7n }), refusal("failed-precondition", /"r" failed size validation: 5 != 7/));
  await assert.rejects(
    attempt({ expected: digestOf("x") }),
    refusal("failed-precondition", /unexpected commit digest/),
  );
  const labels = { k: "v".repeat(5000) };
  await assert.rejects(attempt({ labels }), refusal("invalid-argument", /info.Labels: label key and value greater/));
  await assert.rejects(content.info({ digest: digestOf(hello) }, one), refusal("not-found", /./));
  assert.equal(Array.from(metadata.database.range(tables.contentIntent, [])).length, 0);
  await attempt({ expected: digestOf(hello) });
  assert.deepEqual(await readAll(content, digestOf(hello), one), hello);
  assert.deepEqual((await content.listStatuses({}, one)).statuses, []);
});

test("a lease keeps the ingest, then the blob; one that ends meanwhile keeps nothing and harms nothing", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const [content, leases] = [metadata.client(Content), metadata.client(Leases)];
  await leases.create({ id: "l" }, one);
  const leased = inNamespace("one", "l");
  const kept = async () =>
    (await leases.listResources({ id: "l" }, one)).resources.map(({ type, id }) => `${type} ${id}`);
  await exchange(content, [{ ref: "r" }], leased);
  assert.deepEqual(await kept(), ["ingests r"]);
  await exchange(content, uploadOf("r", hello), leased);
  assert.deepEqual(await kept(), [`content ${digestOf(hello)}`]);

  const written = Promise.withResolvers<void>();
  const ending = (async function* () {
    yield { ref: "q" };
    yield { action: WriteAction.WRITE, data: Buffer.from("q") };
    await written.promise;
    await leases.delete({ id: "l" }, one);
    yield { action: WriteAction.COMMIT, offset: 1n };
  })();
  await assert.rejects(
    async () => {
      for await (const { offset } of content.write(ending, leased)) if (offset === 1n) written.resolve();
    },
    refusal("not-found", /lease does not exist/),
  );
  await exchange(content, [{ ref: "q" }, { action: WriteAction.COMMIT, offset: 1n }], one);
});

test("Abort removes an ingest from both stores, also when a crash has removed it from one", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  await exchange(content, [{ ref: "r" }], one);
  await content.abort({ ref: "r" }, one);
  assert.deepEqual(await metadata.store.statuses(), []);
  await assert.rejects(content.abort({ ref: "r" }, one), refusal("not-found", /reference r/));

  await exchange(content, [{ ref: "lost" }], one);
  await metadata.store.abort("one/1/lost");
  await assert.rejects(content.status({ ref: "lost" }, one), refusal("not-found", /reference lost/));
  assert.deepEqual((await content.listStatuses({}, one)).statuses, []);
  await assert.rejects(content.abort({ ref: "lost" }, one), refusal("not-found", /reference lost/));
  assert.equal(metadata.database.has(tables.ingest, ["one", "lost"]), false);
});

test("a listing comes in blocks of 100 in the order of the digests, and none when it is empty", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  const sizes = async (filters: string[] = []) => {
    const blocks: number[] = [];
    for await (const { info } of content.list({ filters }, one)) blocks.push(info.length);
    return blocks;
  };
  assert.deepEqual(await sizes(), []);
  await putBlobs(metadata, 250);
  assert.deepEqual(await sizes(), [100, 100, 50]);
  assert.deepEqual(await sizes(["labels.n==7", "labels.n==170"]), [2]);
  assert.deepEqual(await sizes(["labels.n!=7"]), [100, 100, 49]);
  const digests: string[] = [];
  for await (const { info } of content.list({}, one)) digests.push(...info.map(({ digest }) => digest));
  assert.deepEqual(digests, [...digests].sort());
});

test("blobs of many mebibytes pass in both directions unchanged", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  const chunk = Buffer.alloc(2 ** 20, "bulkhead");
  const requests = [
    { ref: "big" },
    ...Array.from({ length: 16 }, (_, index) => ({
      action: WriteAction.WRITE,
      offset: BigInt(index) << 20n,
      data: chunk,
    })),
    { action: WriteAction.COMMIT, offset: 16n << 20n, total: 16n << 20n },
  ];
  const answers = await exchange(content, requests, one);
  const blob = Buffer.concat(Array.from({ length: 16 }, () => chunk));
  assert.equal(answers.at(-1)?.digest, digestOf(blob));
  assert.ok((await readAll(content, digestOf(blob), one)).equals(blob));
});

async function putBlobs({ database }: MetadataServer, count: number): Promise<void> {
  await database.write((tx) => {
    for (let n = 0; n < count; n++) {
      const digest = digestOf(String(n));
      tx.put(tables.blob, ["one", digest], { digest, size: 1n, labels: { n: String(n) } });
    }
  });
}
