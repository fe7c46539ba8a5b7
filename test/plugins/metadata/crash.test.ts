import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { openDatabase } from "../../../plugins/metadata/database/open.ts";
import { tables } from "../../../plugins/metadata/database/tables.ts";
import { Child } from "../../harness/child.ts";
import { scaled } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf, exchange, readAll, uploadOf } from "./content-client.ts";
import { inNamespace, startMetadata } from "./metadata-server.ts";

const hello = Buffer.from("hello");
const one = inNamespace("one");
const programs = import.meta.dirname;

/** Uploads to a server that kills itself at `step`, redirected or not, and waits for its end. */
async function uploadInto(folder: string, step: string, redirected: boolean): Promise<void> {
  const args = [join(programs, "crash-server.ts"), folder, step, redirected ? "content" : "acme-store"];
  await using server = new Child(process.execPath, args);
  await server.output.waitFor(/ready/);
  using channel = connect(`${folder}/${redirected ? "content" : "metadata"}.sock`);
  const metadata = { ...one.metadata, ...(redirected && { "bulkhead-namespaced": "1" }) };
  const upload = exchange(clientOf(Content, channel), uploadOf("r", hello, { a: "1" }), { metadata });
  await assert.rejects(upload, (error) => isHostError(error, "unavailable"));
  assert.equal((await server.waitForExit()).signal, "SIGKILL");
}

for (const redirected of [false, true]) {
  const way = redirected ? "redirected" : "relayed";

  test(`a ${way} commit that dies with its intent on disk leaves no blob and an ingest to go on with`, async () => {
    await using folder = await makeTempFolder("md");
    await uploadInto(folder.path, "intent-stored", redirected);
    await using metadata = await startMetadata(folder.path);
    const content = metadata.client(Content);
    await assert.rejects(content.info({ digest: digestOf(hello) }, one), (error) => isHostError(error, "not-found"));
    await metadata.settle();
    const [resumed] = await exchange(content, [{ ref: "r" }], one);
    assert.equal(resumed?.offset, 5n);
    await exchange(content, [{ ref: "r" }, { action: WriteAction.COMMIT, offset: 5n }], one);
    assert.deepEqual(await readAll(content, digestOf(hello), one), hello);
    assert.deepEqual(Array.from(metadata.database.range(tables.contentIntent, [])), []);
  });
}

test("a commit that dies between the store's and its own second transaction is finished at the next start", async () => {
  await using folder = await makeTempFolder("md");
  await uploadInto(folder.path, "store-committed", false);
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  await assert.rejects(content.info({ digest: digestOf(hello) }, one), (error) => isHostError(error, "not-found"));
  await metadata.settle();
  assert.deepEqual(await readAll(content, digestOf(hello), one), hello);
  assert.deepEqual((await content.info({ digest: digestOf(hello) }, one)).info?.labels, { a: "1" });
  assert.deepEqual((await content.listStatuses({}, one)).statuses, []);
  assert.deepEqual(Array.from(metadata.database.range(tables.contentIntent, [])), []);
});

test("such a commit may as well be repeated by the client before anybody settles it", async () => {
  await using folder = await makeTempFolder("md");
  await uploadInto(folder.path, "store-committed", false);
  await using metadata = await startMetadata(folder.path);
  const content = metadata.client(Content);
  await assert.rejects(exchange(content, uploadOf("r", hello), one), (error) => isHostError(error, "already-exists"));
  assert.deepEqual(await readAll(content, digestOf(hello), one), hello);
});

for (const redirected of [false, true]) {
  test(`a commit that dies when it is recorded is there (${redirected ? "redirected" : "relayed"})`, async () => {
    await using folder = await makeTempFolder("md");
    await uploadInto(folder.path, "recorded", redirected);
    await using metadata = await startMetadata(folder.path);
    const content = metadata.client(Content);
    assert.deepEqual(await readAll(content, digestOf(hello), one), hello);
    assert.deepEqual((await content.listStatuses({}, one)).statuses, []);
  });
}

test("after kill -9 under 16 writers every acknowledged write is there and none is half there", async () => {
  await using folder = await makeTempFolder("md");
  const acknowledged: string[] = [];
  for (let round = 0; round < scaled(5); round++) {
    await using writer = new Child(process.execPath, [join(programs, "crash-writer.ts"), folder.path, `r${round}.`]);
    await writer.output.waitFor(new RegExp(`acknowledged r${round}\\.\\d+\\.${3 + round * 7}$`));
    writer.kill("SIGKILL");
    await writer.waitForExit();
    acknowledged.push(...Array.from(writer.output.text.matchAll(/^acknowledged (\S+)$/gm), ([, name]) => name ?? ""));
    await using database = await openDatabase(folder.path, { maxBytes: 2 ** 30, publish: () => Promise.resolve() });
    const names = new Set(Array.from(database.range(tables.namespace, []), ({ value }) => value.name));
    assert.deepEqual(
      acknowledged.filter((name) => !names.has(name)),
      [],
    );
    const twins = Array.from(database.range(tables.image, [])).length;
    assert.equal(twins, names.size);
  }
});
