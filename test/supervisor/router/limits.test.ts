import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { clientPreface } from "#proto/http2/constants.ts";
import type { ConfiguredLimits } from "../../../supervisor/router/limits.ts";
import { within } from "../../harness/deadline.ts";
import { answer, errorCodes, flags, frameTypes, ok, RawPeer, request } from "./harness/raw-peer.ts";
import { path, startRawRoute } from "./harness/raw-route.ts";

/** Says that the connection works: its PING comes back. */
async function alive(peer: RawPeer): Promise<void> {
  peer.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
  await peer.next(frameTypes.ping);
}

/** What the GOAWAY says with which the connection ends. */
async function farewell(peer: RawPeer): Promise<string> {
  const { payload } = await peer.next(frameTypes.goaway);
  await within("the connection's end", peer.closed);
  return `${payload.readUInt32BE(4)} ${payload.subarray(8).toString()}`;
}

test("a connection more than the limit is closed at once, and one that ends makes room", async () => {
  const { stack, router, connect } = await startRawRoute({ connections: 2 });
  await using _ = stack;
  const first = await connect();
  await alive(first);
  await alive(await connect());
  await within("the third to be closed", (await connect()).closed);
  first.close();
  let open: number;
  do open = (await router.counters()).connections;
  while (open > 1);
  await alive(await connect());
});

test("one user's connections over the limit do not keep packages out", async () => {
  const { stack, router, connect } = await startRawRoute({ connectionsPerUid: 1 });
  await using _ = stack;
  const host = router.openHostSocket("acme");
  await alive(await connect());
  await within("the second to be closed", (await connect()).closed);
  await alive(await connect(host));
});

test("a stream more than the limit is refused, and the client is told the limit", async () => {
  const { stack, server, connect } = await startRawRoute({ streamsPerConnection: 2 });
  await using _ = stack;
  const client = await connect();
  const settings = await client.next(frameTypes.settings);
  assert.ok(settings.payload.includes(Buffer.from([0, 3, 0, 0, 0, 2])), settings.payload.toString("hex"));
  for (const id of [1, 3, 5]) client.headers(id, request(path), true);
  assert.equal(await client.resetCode(5), errorCodes.refusedStream);
  await (await server.connections.take()).next(frameTypes.headers, 3);
});

test("calls over the limit of all clients are refused to who has 64, and served to who has few", async () => {
  const { stack, server, connect } = await startRawRoute({ openCalls: 70 });
  await using _ = stack;
  const [client, other] = [await connect(), await connect()];
  for (let id = 1; id <= 141; id += 2) client.headers(id, request(path), true);
  assert.equal(await client.resetCode(141), errorCodes.refusedStream);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 139);
  other.headers(1, request(path), true);
  await peer.next(frameTypes.headers, 141);
  for (const id of [1, 3]) peer.headers(id, [...answer, ...ok], true);
  await client.next(frameTypes.headers, 3);
  client.headers(143, request(path), true);
  await peer.next(frameTypes.headers, 143);
});

test("larger frames are announced, and taken both ways", async () => {
  const { stack, server, connect } = await startRawRoute({ frameBytes: 65_536 });
  await using _ = stack;
  const client = await connect();
  const large = Buffer.from([0, 5, 0, 1, 0, 0]);
  assert.ok((await client.next(frameTypes.settings)).payload.includes(large));
  client.headers(1, request(path), false);
  client.data(1, Buffer.alloc(60_000, 1), true);
  const peer = await server.connections.take();
  assert.ok((await peer.next(frameTypes.settings)).payload.includes(large));
  for (let got = 0; got < 60_000; ) got += (await peer.next(frameTypes.data, 1)).payload.length;
  peer.headers(1, answer, false);
  peer.data(1, Buffer.alloc(60_000, 2), false);
  for (let got = 0; got < 60_000; ) got += (await client.next(frameTypes.data, 1)).payload.length;
});

/** What ends a connection, the limit that does it, and the words of its GOAWAY. */
const floods: readonly (readonly [string, Partial<ConfiguredLimits>, RegExp, (peer: RawPeer) => void])[] = [
  [
    "SETTINGS",
    { settingsPerSecond: 5 },
    /^11 more than 5 SETTINGS/,
    (peer) => peer.frame(frameTypes.settings, 0, 0, Buffer.alloc(0)),
  ],
  ["PING", { pingsPerSecond: 5 }, /^11 more than 5 PING/, (peer) => peer.frame(frameTypes.ping, 0, 0, Buffer.alloc(8))],
  [
    "PRIORITY",
    { emptyFramesPerSecond: 5 },
    /^11 more than 5 empty/,
    (peer) => peer.frame(frameTypes.priority, 0, 1, Buffer.from([0, 0, 0, 0, 5])),
  ],
  [
    "DATA of padding alone",
    { emptyFramesPerSecond: 5 },
    /^11 more than 5 empty/,
    (peer) => peer.frame(frameTypes.data, flags.padded, 1, Buffer.from([3, 0, 0, 0])),
  ],
];

for (const [what, limits, words, send] of floods) {
  test(`${what} beyond the limit ends the connection that sends it`, async () => {
    const { stack, connect } = await startRawRoute(limits);
    await using _ = stack;
    const [client, other] = [await connect(), await connect()];
    client.headers(1, request(path), false);
    for (let sent = 0; sent < 20; sent++) send(client);
    assert.match(await farewell(client), words);
    await alive(other);
  });
}

test("calls begun and reset beyond the limit end the connection", async () => {
  const { stack, connect } = await startRawRoute({ resetsPerSecond: 5 });
  await using _ = stack;
  const client = await connect();
  for (let id = 1; id < 40; id += 2) {
    client.headers(id, request(path), false);
    client.reset(id, errorCodes.cancel);
  }
  assert.match(await farewell(client), /^11 more than 5 calls begun and reset/);
});

test("calls that a client has the router reset, count as its own resets", async () => {
  const { stack, connect } = await startRawRoute({ resetsPerSecond: 5 });
  await using _ = stack;
  const client = await connect();
  for (let id = 1; id < 40; id += 2) {
    client.headers(id, request(path), false);
    client.writer.windowUpdate(id, 0);
    client.flush();
  }
  assert.match(await farewell(client), /^11 more than 5 calls begun and reset/);
});

test("CONTINUATION frames beyond the limit end the connection, in one block or over many", async () => {
  const { stack, connect } = await startRawRoute({ continuations: 3, continuationsPerSecond: 20 });
  await using _ = stack;
  const one = await connect();
  one.frame(frameTypes.headers, 0, 1, encodeHeaders(request(path)));
  for (let sent = 0; sent < 5; sent++) one.frame(frameTypes.continuation, 0, 1, Buffer.alloc(0));
  assert.match(await farewell(one), /^11 header block .*3 CONTINUATION/);
  const many = await connect();
  for (let id = 1; id < 60; id += 2) {
    many.frame(frameTypes.headers, flags.endStream, id, encodeHeaders(request(path)));
    many.frame(frameTypes.continuation, flags.endHeaders, id, Buffer.alloc(0));
  }
  assert.match(await farewell(many), /^11 more than 20 CONTINUATION/);
});

test("a header list over the configured size is RESOURCE_EXHAUSTED, naming the limit", async () => {
  const { stack, connect } = await startRawRoute({ headerListBytes: 2048 });
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path, [["x-large", "a".repeat(2048)]]), true);
  const { headers } = await client.next(frameTypes.headers, 1);
  assert.equal(headers["grpc-status"], "8");
  assert.match(headers["grpc-message"] ?? "", /over the limit of 2048/);
});

test("a reader that opens its window by crumbs is cut off", async () => {
  const { stack, server, connect } = await startRawRoute({ emptyFramesPerSecond: 20 });
  await using _ = stack;
  const client = await connect();
  client.writer.settings({ initialWindowBytes: 0 });
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, answer, false);
  peer.data(1, Buffer.alloc(10_000), false);
  await client.next(frameTypes.headers, 1);
  for (let sent = 0; sent < 100; sent++) {
    client.writer.windowUpdate(1, 1);
    client.flush();
    if (sent === 0) await client.next(frameTypes.data, 1);
  }
  assert.match(await farewell(client), /^11 more than 20 windows of a few bytes/);
  assert.equal(await peer.resetCode(1), errorCodes.cancel);
});

test("a client that is slow with its preface or SETTINGS is closed", async () => {
  const { stack, router } = await startRawRoute({ prefaceMs: 50 });
  await using _ = stack;
  const silent = await RawPeer.silentClient(router.mainSocket);
  const half = await RawPeer.silentClient(router.mainSocket);
  half.raw(clientPreface);
  await within("both to be closed", Promise.all([silent.closed, half.closed]));
});

test("a client that does not end its header block is closed, and one that does in time goes on", async () => {
  const { stack, server, connect } = await startRawRoute({ headersMs: 100 });
  await using _ = stack;
  const client = await connect();
  const block = encodeHeaders(request(path));
  client.frame(frameTypes.headers, flags.endStream, 1, block.subarray(0, 10));
  client.frame(frameTypes.continuation, flags.endHeaders, 1, block.subarray(10));
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  const slow = await connect();
  slow.frame(frameTypes.headers, flags.endStream, 1, block);
  assert.match(await farewell(slow), /^11 no end of a header block in 100 ms/);
  peer.headers(1, answer, false);
  peer.headers(1, ok, true);
  await client.next(frameTypes.headers, 1);
});

test("a connection without a call is ended with GOAWAY after its idle time, one with a call is not", async () => {
  const { stack, server, connect } = await startRawRoute({ idleMs: 200 });
  await using _ = stack;
  const busy = await connect();
  busy.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  // Ping as it may: that is no call.
  const idle = await connect();
  await alive(idle);
  assert.equal(await farewell(idle), "0 ");
  await alive(busy);
  peer.headers(1, [...answer, ...ok], true);
  await busy.next(frameTypes.headers, 1);
  assert.equal(await farewell(busy), "0 ");
});

test("a client may send a PING for each DATA frame that it is sent", async () => {
  const { stack, server, connect } = await startRawRoute({ pingsPerSecond: 5 });
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, answer, false);
  for (let sent = 0; sent < 50; sent++) {
    peer.data(1, "piece", false);
    await client.next(frameTypes.data, 1);
    await alive(client);
  }
});

test("changed limits hold for connections that begin after them", async () => {
  const { stack, limit, connect } = await startRawRoute({ pingsPerSecond: 1000 });
  await using _ = stack;
  const before = await connect();
  await alive(before);
  await limit({ pingsPerSecond: 1 });
  const after = await connect();
  for (const peer of [before, after]) {
    for (let sent = 0; sent < 20; sent++) peer.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
  }
  assert.match(await farewell(after), /^11 more than 1 PING/);
  await alive(before);
});
