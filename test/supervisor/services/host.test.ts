import assert from "node:assert/strict";
import { test } from "node:test";
import { Host } from "#proto/gen/bulkhead/host/v1/host_pb.ts";
import { PeerState } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { Metadata } from "#proto/gen/bulkhead/metadata/v1/metadata_pb.ts";
import { implement, serve } from "#rpc";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import type { HostDirectory } from "../../../supervisor/services/index.ts";
import { declaration, packageView, plugin, SampleSupervision } from "./sample-supervision.ts";
import { ServedControl } from "./served-control.ts";

const metadata = { "bulkhead-caller": "acme" };

test("a package's calls carry its name to the directory", async () => {
  const reports: string[] = [];
  const directory: HostDirectory = {
    hello: async (name, { sdk }) => ({ package: name, hostVersion: sdk }),
    async *watchPeers(name) {
      yield { peers: [{ package: name, state: PeerState.READY }] };
    },
    report: (name, { status }) => void reports.push(`${name}: ${status}`),
  };
  await using control = await ServedControl.start(new SampleSupervision(), directory);
  const client = control.client(Host);
  const hello = await client.hello({ sdk: "x/1" }, { metadata });
  assert.deepEqual([hello.package, hello.hostVersion], ["acme", "x/1"]);
  for await (const { peers } of client.watchPeers({}, { metadata })) assert.equal(peers[0]?.package, "acme");
  await client.report({ status: "half of it" }, { metadata });
  assert.deepEqual(reports, ["acme: half of it"]);
  await assert.rejects(client.report({ status: "x".repeat(1025) }, { metadata }), { kind: "invalid-argument" });
});

test("a caller that is no package is refused", async () => {
  await using control = await ServedControl.start(new SampleSupervision());
  const client = control.client(Host);
  await assert.rejects(client.hello({}), { kind: "permission-denied" });
  await assert.rejects(client.hello({}, { metadata: { "bulkhead-caller": "uid:0" } }), { kind: "permission-denied" });
});

test("a backup asked for on the admin socket reaches the package that serves it, and the main socket has none", async () => {
  await using folder = await makeTempFolder();
  const socket = folder.join("metadata.sock");
  await using server = serve({
    services: [implement(Metadata, { backup: ({ file }) => ({ bytes: BigInt(file.length) }) })],
  });
  await server.listen(socket);
  const bolt = declaration("io.containerd.metadata.v1", "bolt", { serves: [Metadata.typeName] });
  const supervision = new SampleSupervision(packageView("metadata", [plugin(bolt)], { socket }));
  await using control = await ServedControl.start(supervision);
  assert.equal((await control.client(Metadata, "admin").backup({ file: "/a/b" })).bytes, 4n);
  await assert.rejects(control.client(Metadata).backup({ file: "/a/b" }), { kind: "unimplemented" });
  supervision.change("metadata", { state: "backoff", socket: "", reason: "exit 1" });
  await assert.rejects(control.client(Metadata, "admin").backup({ file: "/a/b" }), {
    kind: "unavailable",
    message: "call package metadata: it is backoff: exit 1",
  });
});
