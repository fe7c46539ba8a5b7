import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { Host } from "#proto/gen/bulkhead/host/v1/host_pb.ts";
import { PeerState, type Peer } from "#proto/gen/bulkhead/plugin/v1/plugin_pb.ts";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { within } from "../harness/deadline.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

/** Its process does nothing: whoever opens its host socket is the package. */
const manifest = `
manifest: 1
name: caller
version: 1.2.3
command: [sleep, "1000"]
plugins:
  - { type: acme.caller.v1, id: one, calls: [io.containerd.event.v1.exchange] }
  - { type: acme.caller.v1, id: two, wants: [io.containerd.absent.v1] }
`;

async function nextPeers(stream: AsyncIterator<{ readonly peers: readonly Peer[] }>): Promise<readonly Peer[]> {
  const next = await within("a change of peers", stream.next());
  assert.ok(next.done !== true, "the watch ended");
  return next.value.peers;
}

test("a package's host socket tells who it is and whom it may call, follows its peers and takes its reports", async () => {
  await using folder = await makeTempFolder("ha");
  await mkdir(folder.join("packages/caller"), { recursive: true });
  await writeFile(folder.join("packages/caller/plugin.yaml"), manifest);
  const config = `plugin_dirs: [${folder.join("packages")}]\nboot: { wait: 50ms }\n`;
  await using daemon = await startBulkhead({ folder, config });
  using channel = connect(folder.join("state/host/caller.sock"));
  const host = clientOf(Host, channel);

  const hello = await host.hello({ sdk: "test/1" });
  assert.equal(hello.package, "caller");
  assert.equal(hello.generation, 1n);
  assert.match(hello.hostUuid, /^[0-9a-f-]{36}$/);
  assert.deepEqual(
    hello.registrations.map(({ type, id }) => `${type}.${id}`),
    ["acme.caller.v1.one", "acme.caller.v1.two"],
  );
  assert.ok(hello.peers.some(({ type, id }) => `${type}.${id}` === "io.containerd.event.v1.exchange"));

  // The full set first, then each change: the peer dies and comes back.
  const stream = host.watchPeers({})[Symbol.asyncIterator]();
  const exchangeOf = (peers: readonly Peer[]) => peers.find(({ id }) => id === "exchange");
  let exchange = exchangeOf(await nextPeers(stream));
  while (exchange?.state !== PeerState.READY) exchange = exchangeOf(await nextPeers(stream));
  const { generation, address } = exchange;
  process.kill(Number((await statusOf(daemon, "events")).pid), "SIGKILL");
  const seen: PeerState[] = [];
  do {
    exchange = exchangeOf(await nextPeers(stream));
    seen.push(exchange?.state ?? PeerState.UNSPECIFIED);
  } while (exchange?.state !== PeerState.READY || exchange.generation === generation);
  assert.ok(seen.includes(PeerState.DOWN), seen.join(" "));
  assert.equal(exchange.address, address, "an address outlives the peer's restart");
  await stream.return?.();

  // What the manifest names may be called, anything else is refused with the line that is missing.
  const event = { typeUrl: "acme.Event", value: new Uint8Array([1]) };
  const metadata = { "containerd-namespace": "default" };
  await clientOf(Events, channel).publish({ topic: "/acme/caller", event }, { metadata });
  await assert.rejects(clientOf(Containers, channel).list({}, { metadata }), (error) => {
    assert.ok(isHostError(error, "permission-denied"));
    assert.match(error.message, /calls/);
    assert.match(error.message, /plugin\.yaml|manifest/);
    return true;
  });

  const mine = { type: "acme.caller.v1", id: "one" };
  await host.report({ ...mine, status: "half of it works", degraded: false });
  await assert.rejects(host.report({ type: "acme.caller.v1", id: "three" }), (error) =>
    isHostError(error, "not-found"),
  );
});
