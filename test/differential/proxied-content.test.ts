import assert from "node:assert/strict";
import { test } from "node:test";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { clientOf, connect, serve } from "#rpc";
import { LocalStore } from "../../plugins/content/local-store.ts";
import { contentService } from "../../plugins/content/service.ts";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { ctr } from "../harness/ctr.ts";
import { skipWithout } from "../harness/peers.ts";
import { startStock } from "../harness/stock-daemon.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";
import { digestOf, patternBytes } from "./blobs.ts";

const ownContent = "io.containerd.content.v1.content";
const blob = patternBytes(3_000_000);
const digest = digestOf(blob);

/** Ingests in two namespaces, reads back, and removes, with the stock client. */
async function useContent(address: string): Promise<void> {
  const run = async (namespace: string, args: readonly string[], stdin?: Uint8Array) => {
    const { code, stdout, stderr } = await ctr(address, ["content", ...args], { namespace, ...(stdin && { stdin }) });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  await run("one", ["ingest", "--expected-digest", digest, "--expected-size", `${blob.length}`, "blob"], blob);
  // With its digest the blob would be offered whole, and ctr cannot skip in a pipe.
  await run("two", ["ingest", "blob"], blob);
  for (const namespace of ["one", "two"]) {
    const text = await run(namespace, ["get", digest]);
    assert.equal(text, blob.toString("utf8"));
  }
  // Kept for itself: what nobody refers to is collected after the next deletion.
  await run("two", ["label", digest, "containerd.io/gc.root=1"]);
  await run("one", ["rm", digest]);
  assert.equal(await run("one", ["ls", "-q"]), "");
  assert.match(await run("two", ["ls", "-q"]), new RegExp(digest));
  assert.doesNotMatch(await run("two", ["active"]), /blob/);
}

test("a foreign content store under proxy_plugins takes the place of ours, metadata relaying the bytes", {
  skip: skipWithout({ peers: ["containerd"] }),
}, async () => {
  await using folder = await makeTempFolder("x");
  const store = await LocalStore.open(folder.path);
  const nobody = () => {
    throw new Error("a foreign store asks no metadata");
  };
  await using server = serve({ services: [contentService(store, nobody, { check: nobody })] });
  await server.listen(folder.join("store.sock"));
  const address = folder.join("store.sock");
  // Nothing refers to the blob: a collection would take it away.
  const noCollection = "plugins: { io.containerd.gc.v1.scheduler: { startup_delay: 24h } }";
  const config = `${noCollection}\ndisabled_plugins: [${ownContent}]\nproxy_plugins: { acme: { type: content, address: ${address} } }\n`;
  await using daemon = await startBulkhead({ config });
  await useContent(daemon.address);
  assert.equal(store.info(digest).size, BigInt(blob.length));
  const { stdout } = await ctr(daemon.address, ["plugins", "ls", "type==io.containerd.content.v1"]);
  assert.match(stdout, /io\.containerd\.content\.v1 +acme +\S+ +ok/);
});

test("a stock daemon can have our content package for its store", {
  skip: skipWithout({ peers: ["containerd"], root: true }),
}, async () => {
  await using daemon = await startBulkhead();
  const address = `${daemon.state}/s/content/peer.sock`;
  await using stock = await startStock({
    disabled: [ownContent],
    // Nothing refers to the blob: a collection would take it away.
    config: `[plugins."io.containerd.gc.v1.scheduler"]\nstartup_delay = "24h"\n[proxy_plugins.bulkhead]\ntype = "content"\naddress = "${address}"`,
  });
  await useContent(stock.address);
  using channel = connect(address);
  const { info } = await clientOf(Content, channel).info({ digest });
  assert.equal(info?.size, BigInt(blob.length));
});
