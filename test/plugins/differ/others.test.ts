import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { gzipSync, zstdDecompressSync } from "node:zlib";
import { isHostError } from "#proto/wire/errors.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { skipWithout } from "../../harness/peers.ts";
import { startStock } from "../../harness/stock-daemon.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { contentService } from "../../../plugins/content/service.ts";
import { LocalStore } from "../../../plugins/content/local-store.ts";
import { serve } from "#rpc";
import { bindOf, LayerClient, ociGzip, ociTar } from "./layer-client.ts";
import { tarOf } from "./tar-builder.ts";

const skip = skipWithout({ peers: ["containerd"], root: true });

test("a blob of a foreign content store is read by calls, whole and when it is cut off", { skip }, async () => {
  await using folder = await makeTempFolder("o");
  const store = await LocalStore.open(folder.join("store"));
  const nobody = () => {
    throw new Error("a foreign store asks no metadata");
  };
  await using server = serve({ services: [contentService(store, nobody, { check: nobody })] });
  await server.listen(folder.join("store.sock"));
  const address = folder.join("store.sock");
  const config = `
disabled_plugins: [io.containerd.content.v1.content]
proxy_plugins: { acme: { type: content, address: ${address} } }
`;
  await using daemon = await startBulkhead({ config });
  using client = new LayerClient(daemon.address);
  const data = randomBytes(20_000_000);
  const layer = tarOf([{ name: "file", data }]);
  const target = folder.join("target");
  mkdirSync(target);
  const applied = await client.apply(await client.store(gzipSync(layer), ociGzip), bindOf(target));
  assert.equal(applied?.size, BigInt(layer.length));
  assert.ok(readFileSync(`${target}/file`).equals(data));
  const broken = await client.store(layer.subarray(0, 10_000_000));
  await assert.rejects(
    () => client.apply(broken, bindOf(target)),
    (error) => isHostError(error, "unknown") && /unexpected EOF/.test(error.message),
  );
  // What was made goes back by calls, too.
  const labels = { "containerd.io/gc.root": "test" };
  const { diff } = await client.diff.diff(
    { left: [], right: bindOf(target), mediaType: ociTar, labels },
    client.options,
  );
  assert.ok((diff?.size ?? 0n) >= 10_000_000n);
});

test("differs are asked in the configured order, the next one where one answers UNIMPLEMENTED", { skip }, async () => {
  await using stock = await startStock();
  const config = `
proxy_plugins: { remote: { type: diff, address: ${stock.address} } }
plugins: { io.containerd.service.v1.diff-service: { default: [remote, walking] } }
`;
  await using daemon = await startBulkhead({ config });
  using client = new LayerClient(daemon.address);
  using there = new LayerClient(stock.address);
  const tree = stock.folder.join("tree");
  mkdirSync(tree);
  const request = { left: [], right: bindOf(tree), labels: { "containerd.io/gc.root": "test" } };
  // Stock makes gzip: the blob is in its store, for its namespace.
  const first = await client.diff.diff(request, client.options);
  assert.ok((await there.read(first.diff?.digest ?? "")).length > 0);
  // It makes no zstd, so ours does.
  const second = await client.diff.diff({ ...request, mediaType: `${ociTar}+zstd` }, client.options);
  const bytes = zstdDecompressSync(await client.read(second.diff?.digest ?? ""));
  assert.ok(bytes.equals(Buffer.alloc(1024)));
  // A failure of another kind is the answer.
  const absent = { mediaType: ociTar, digest: `sha256:${"0".repeat(64)}`, size: 1n };
  await assert.rejects(
    () => client.apply(absent, bindOf(tree)),
    (error) => isHostError(error, "not-found"),
  );
});

test("a configured differ that is nowhere fails the service, and says so", { skip }, async () => {
  const config = "plugins: { io.containerd.service.v1.diff-service: { default: [nowhere] } }\n";
  await using daemon = await startBulkhead({ config });
  assert.match(daemon.child.output.text, /needed differ not loaded: nowhere/);
});
