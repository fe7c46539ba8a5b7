import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { maxStreamId } from "#proto/http2/constants.ts";
import { defaultLimits } from "../../../supervisor/router/limits.ts";
import { begin, finish } from "./harness/raw-calls.ts";
import { answer, errorCodes, flags, frameTypes, ok, RawPeer, RawServer, request } from "./harness/raw-peer.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const service = "test.v1.Echo";
const path = `/${service}/Unary`;

async function withRaw(settings: Parameters<typeof RawPeer.client>[1] = {}) {
  const stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  const server = stack.use(await RawServer.listen(router.socketPath("echo")));
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes: { [service]: "echo" } });
  const client = await RawPeer.client(router.mainSocket, settings);
  stack.defer(() => client.close());
  return { stack, router, server, client };
}

test("a call that crosses GOAWAY is answered; one begun after the last stream was named is refused with all that it sends", async () => {
  const { stack, router, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  const exited = once(router.child, "exit");
  router.tell({ type: "stop", timeoutMs: 10_000 });
  assert.equal(await client.lastStream(), maxStreamId);
  client.headers(3, request(path), true);
  await peer.next(frameTypes.headers, 3);
  await client.answerPing();
  assert.equal(await client.lastStream(), 3);
  client.headers(5, request(path), false);
  client.data(5, "late", false);
  client.writer.windowUpdate(5, 10);
  client.headers(5, [["x-late", "1"]], true);
  assert.equal(await client.resetCode(5), errorCodes.refusedStream);
  await finish(peer, client, 3, 3);
  await finish(peer, client, 1, 1);
  await client.closed;
  assert.deepEqual(await exited, [0, null]);
});

test("a client that answers no PING is told the last stream all the same", async () => {
  const { stack, router, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  router.tell({ type: "stop", timeoutMs: 10_000 });
  assert.equal(await client.lastStream(), maxStreamId);
  assert.equal(await client.lastStream(), 1);
  await finish(peer, client, 1, 1);
  await client.closed;
});

test("a package may reset more calls at once than idle frames may come in a second", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  const ids = await begin(client, peer, defaultLimits.emptyFramesPerSecond * 2, 3);
  for (const id of ids) peer.writer.rstStream(id, errorCodes.internalError);
  peer.flush();
  for (const id of ids) assert.equal(await client.resetCode(id), errorCodes.internalError);
  await finish(peer, client, 1, 1);
});

test("answers that cross the resets of a client that went away do not end the package's connection", async () => {
  const { stack, router, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  const rude = await RawPeer.client(router.mainSocket);
  const ids = await begin(rude, peer, defaultLimits.emptyFramesPerSecond * 2, 1);
  rude.close();
  await peer.resetCode(ids[0] ?? 0);
  for (const id of ids) {
    peer.writer.headers(id, encodeHeaders(answer), false, 16_384);
    peer.writer.headers(id, encodeHeaders(ok), true, 16_384);
  }
  peer.flush();
  await finish(peer, client, 1, 1);
});

test("what crosses the router's reset of a stream is ignored", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), false);
  client.headers(3, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 3);
  peer.headers(1, [...answer, ...ok], true);
  assert.equal(await client.resetCode(1), errorCodes.noError);
  client.data(1, "late", false);
  client.headers(1, [["x-late", "1"]], true);
  client.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
  for (let frame = await client.frames.take(); frame.type !== frameTypes.ping; frame = await client.frames.take()) {
    assert.ok(frame.type !== frameTypes.rstStream && frame.type !== frameTypes.goaway, `frame of type ${frame.type}`);
  }
  await finish(peer, client, 3, 3);
});

test("a client that lowers its header table is told in the first block that none is used", async () => {
  const { stack, server, client } = await withRaw({ headerTableBytes: 0 });
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, answer, false);
  peer.headers(1, ok, true);
  const head = await client.next(frameTypes.headers, 1);
  assert.deepEqual(head.payload, Buffer.concat([Buffer.from([0x20]), encodeHeaders(answer)]));
  assert.deepEqual((await client.next(frameTypes.headers, 1)).payload, encodeHeaders(ok));
});

test("a request whose length is not the declared one is reset, and its package told", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path, [["content-length", "5"]]), false);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  client.data(1, "1234", true);
  assert.equal(await client.resetCode(1), errorCodes.protocolError);
  assert.equal(await peer.resetCode(1), errorCodes.cancel);
  client.headers(3, request(path, [["content-length", "5"]]), false);
  await peer.next(frameTypes.headers, 3);
  client.data(3, "12345", true);
  assert.ok(((await peer.next(frameTypes.data, 3)).flags & flags.endStream) !== 0);
  await finish(peer, client, 3, 3);
});

test("an answer whose length is not the declared one is not passed on as whole", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, [...answer, ["content-length", "5"]], false);
  peer.data(1, "123456", false);
  assert.equal(await client.resetCode(1), errorCodes.protocolError);
  assert.equal(await peer.resetCode(1), errorCodes.protocolError);
});

test("a client may use the last stream id, and no stream after it", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(maxStreamId, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  await finish(peer, client, 1, maxStreamId);
  client.headers(1, request(path), true);
  assert.equal(await client.goaway(), errorCodes.streamClosed);
});
