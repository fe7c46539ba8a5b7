import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { test } from "node:test";
import { Child } from "../../harness/child.ts";
import { within } from "../../harness/deadline.ts";
import {
  answer,
  errorCodes,
  flags,
  frameTypes,
  ok,
  RawPeer,
  RawServer,
  request,
  type RawFrame,
} from "./harness/raw-peer.ts";
import { path, service, startRawRoute } from "./harness/raw-route.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const silentPackage = new URL("harness/silent-package.ts", import.meta.url).pathname;
/** A dead package's calls are told within 10 ms; a loaded machine may take ten times that. */
const toldMs = 100;

/** All that the router has to say on the connection until now, by stream. */
async function framesUntilNow(peer: RawPeer): Promise<ReadonlyMap<number, readonly RawFrame[]>> {
  peer.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
  const byStream = new Map<number, RawFrame[]>();
  for (let frame = await peer.frames.take(); frame.type !== frameTypes.ping; frame = await peer.frames.take()) {
    const known = byStream.get(frame.streamId) ?? [];
    byStream.set(frame.streamId, [...known, frame]);
  }
  return byStream;
}

/** Answers stream `id` of the package; its client gets it as `clientId`. */
async function finish(peer: RawPeer, id: number, client: RawPeer, clientId: number): Promise<void> {
  peer.headers(id, answer, false);
  peer.headers(id, ok, true);
  await client.next(frameTypes.headers, clientId);
  assert.equal((await client.next(frameTypes.headers, clientId)).headers["grpc-status"], "0");
}

test("a dead package fails each call in flight once, with UNAVAILABLE and the reason, at once", async () => {
  await using router = await RouterProcess.start();
  const calls = 50;
  const took: number[] = [];
  for (let generation = 1; generation <= 5; generation++) {
    const socket = router.socketPath(`silent-${generation}`);
    await using package_ = new Child(process.execPath, [silentPackage, socket]);
    await package_.output.waitFor(/serving/);
    await router.apply({ packages: { silent: row(socket, { generation }) }, routes: { [service]: "silent" } });
    const client = await RawPeer.client(router.mainSocket);
    for (let call = 0; call < calls; call++) client.headers(1 + call * 2, request(path), call % 2 === 0);
    await package_.output.waitFor(new RegExp(`has ${calls} calls`));
    // The test's own connection ends with the router's: neither waits for the other.
    const witness = connectSocket(socket);
    await once(witness, "connect");
    witness.on("error", () => {});
    const closed = new Promise((resolve) => witness.once("close", resolve));
    witness.resume();
    package_.kill("SIGKILL");
    await within("the package's end", closed);
    const died = performance.now();
    for (let call = 0; call < calls; call++) {
      const { headers, flags: ends } = await client.next(frameTypes.headers, 1 + call * 2);
      assert.equal(headers["grpc-status"], "14");
      assert.match(headers["grpc-message"] ?? "", /package silent went away during the call \(.+\)/);
      assert.ok((ends & flags.endStream) !== 0);
    }
    took.push(performance.now() - died);
    // Requests that had not ended are told to stop, and nothing else is said of any.
    for (const [streamId, frames] of await framesUntilNow(client)) {
      if (streamId === 0) continue;
      assert.deepEqual([streamId % 4, frames.map(({ type }) => type)], [3, [frameTypes.rstStream]]);
    }
    client.close();
  }
  const median = took.toSorted((a, b) => a - b)[2] ?? Number.NaN;
  assert.ok(median < toldMs, `the calls were told after ${took.map((ms) => ms.toFixed(1)).join(", ")} ms`);
});

test("a package that stops reading holds up nobody who calls another one", async () => {
  await using router = await RouterProcess.start();
  await using stalled = await RawServer.listen(router.socketPath("stalled"));
  await using other = await RawServer.listen(router.socketPath("other"));
  await router.apply({
    packages: { stalled: row(router.socketPath("stalled")), other: row(router.socketPath("other")) },
    routes: { "test.v1.Stalled": "stalled", [service]: "other" },
  });
  const client = await RawPeer.client(router.mainSocket);
  client.headers(1, request("/test.v1.Stalled/Fill"), false);
  const stuck = await stalled.connections.take();
  await stuck.next(frameTypes.headers, 1);
  stuck.socket.pause();
  // A whole window of it is taken by the router, on the same connection that the other call uses.
  for (let sent = 0; sent < 15; sent++) client.data(1, Buffer.alloc(16_384), false);
  client.headers(3, request(path), true);
  const peer = await other.connections.take();
  await peer.next(frameTypes.headers, 1);
  await finish(peer, 1, client, 3);
  client.reset(1, errorCodes.cancel);
  stuck.socket.resume();
  assert.equal(await stuck.resetCode(1), errorCodes.cancel);
  client.close();
});

test("a package that resets a call in the middle of its answer ends that call alone", async () => {
  const { stack, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), true);
  client.headers(3, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 3);
  peer.headers(1, answer, false);
  peer.data(1, "half", false);
  peer.reset(1, errorCodes.internalError);
  assert.equal((await client.next(frameTypes.data, 1)).payload.toString(), "half");
  assert.equal(await client.resetCode(1), errorCodes.internalError);
  await finish(peer, 3, client, 3);
});

test("calls above the last stream of a package's GOAWAY are made again in their order, those below go on", async () => {
  const { stack, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  for (const id of [1, 3, 5]) client.headers(id, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 5);
  peer.writer.goaway(1, errorCodes.noError, "");
  peer.flush();
  const next = await server.connections.take();
  await next.next(frameTypes.headers, 3);
  await finish(peer, 1, client, 1);
  await finish(next, 1, client, 3);
  await finish(next, 3, client, 5);
  await within("the old connection's end", peer.closed);
});

test("a package that dies in the middle of a frame fails its calls once, and the next one reaches its next connection", async () => {
  const { stack, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), true);
  client.headers(3, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 3);
  peer.headers(1, answer, false);
  // The head of a frame of 100 bytes, and three of them.
  peer.raw(Buffer.from([0, 0, 100, 0, 0, 0, 0, 0, 1, 1, 2, 3]));
  peer.socket.end();
  await client.next(frameTypes.headers, 1);
  const trailers = await client.next(frameTypes.headers, 1);
  assert.equal(trailers.headers["grpc-status"], "14");
  assert.equal((await client.next(frameTypes.headers, 3)).headers["grpc-status"], "14");
  assert.deepEqual(
    [...(await framesUntilNow(client)).keys()].filter((id) => id > 0),
    [],
  );
  client.headers(5, request(path), true);
  const next = await server.connections.take();
  await next.next(frameTypes.headers, 1);
  await finish(next, 1, client, 5);
});

test("a package that answers before the request has ended has answered; what the client still sends is dropped", async () => {
  const { stack, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), false);
  client.headers(3, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 3);
  peer.headers(1, answer, false);
  peer.data(1, "early", false);
  peer.headers(1, ok, true);
  await client.next(frameTypes.headers, 1);
  assert.equal((await client.next(frameTypes.data, 1)).payload.toString(), "early");
  assert.equal((await client.next(frameTypes.headers, 1)).headers["grpc-status"], "0");
  assert.equal(await client.resetCode(1), errorCodes.noError);
  assert.equal(await peer.resetCode(1), errorCodes.cancel);
  for (let sent = 0; sent < 20; sent++) client.data(1, Buffer.alloc(1000), sent === 19);
  await finish(peer, 3, client, 3);
});

/** Ways to answer once more: whether the request had ended, and what comes after the whole answer. */
const second: readonly (readonly [string, boolean, (peer: RawPeer) => void])[] = [
  ["with trailers", true, (peer) => peer.headers(1, [["grpc-status", "13"]], true)],
  ["with headers and trailers", true, (peer) => (peer.headers(1, answer, false), peer.headers(1, ok, true))],
  ["with DATA", true, (peer) => peer.data(1, "again", true)],
  ["with trailers while the request goes on", false, (peer) => peer.headers(1, [["grpc-status", "13"]], true)],
];

for (const [how, ended, again] of second) {
  test(`of a package that answers twice, ${how}, the client gets the first answer alone`, async () => {
    const { stack, server, connect } = await startRawRoute();
    await using _ = stack;
    const client = await connect();
    client.headers(1, request(path), ended);
    client.headers(3, request(path), true);
    const peer = await server.connections.take();
    await peer.next(frameTypes.headers, 3);
    peer.headers(1, answer, false);
    peer.headers(1, ok, true);
    again(peer);
    await client.next(frameTypes.headers, 1);
    assert.equal((await client.next(frameTypes.headers, 1)).headers["grpc-status"], "0");
    await finish(peer, 3, client, 3);
    const late = (await framesUntilNow(client)).get(1) ?? [];
    assert.deepEqual(
      late.map(({ type }) => type),
      ended ? [] : [frameTypes.rstStream],
    );
  });
}

test("a package that half-closes its connection has left its calls", async () => {
  const { stack, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.socket.end();
  assert.equal((await client.next(frameTypes.headers, 1)).headers["grpc-status"], "14");
  await within("the router's end of it", peer.closed);
});

test("a package that refuses each try of a call is not asked for ever", async () => {
  const { stack, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  for (let refused = 0; refused < 10; refused++) {
    const { streamId } = await peer.next(frameTypes.headers);
    peer.reset(streamId, errorCodes.refusedStream);
  }
  const { headers } = await client.next(frameTypes.headers, 1);
  assert.equal(headers["grpc-status"], "14");
  assert.match(headers["grpc-message"] ?? "", /it refused the stream/);
  // Another call is another matter.
  client.headers(3, request(path), true);
  const { streamId } = await peer.next(frameTypes.headers);
  await finish(peer, streamId, client, 3);
});
