import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, frameTypes, RawPeer, RawServer, request } from "./harness/raw-peer.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const service = "test.v1.Echo";
const repeatable = `/${service}/Get`;
const once = `/${service}/Do`;
const methods = { [repeatable]: { idempotent: true } };
const routes = { [service]: "echo" };
const trailers = [["grpc-status", "0"]] as const;

/** A router before a package that says what the test says, and a client that does, too. */
async function open() {
  await using stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  const socket = router.socketPath("echo");
  const server = stack.use(await RawServer.listen(socket));
  await router.apply({ packages: { echo: row(socket, { methods }) }, routes });
  const client = await RawPeer.client(router.mainSocket);
  stack.defer(() => client.close());
  const owned = stack.move();
  return { router, server, client, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("a repeatable call whose package dies in the middle of a small answer is asked again, and answered once", async () => {
  await using host = await open();
  const { client, server } = host;
  client.headers(1, request(repeatable), true);
  const first = await server.connections.take();
  await first.next(frameTypes.headers, 1);
  first.headers(1, answer, false);
  first.data(1, "half an answer", false);
  first.close();
  const second = await server.connections.take();
  await second.next(frameTypes.headers, 1);
  second.headers(1, answer, false);
  second.data(1, "the answer", false);
  second.headers(1, trailers, true);
  assert.equal((await client.next(frameTypes.headers, 1)).headers[":status"], "200");
  assert.equal((await client.next(frameTypes.data, 1)).payload.toString(), "the answer");
  assert.equal((await client.next(frameTypes.headers, 1)).headers["grpc-status"], "0");
});

test("an answer whose rest does not come, or is large, goes to its client and is not asked for again", async () => {
  await using host = await open();
  const { client, server } = host;
  for (const [id, path, bytes] of [
    [1, repeatable, 8],
    [3, repeatable, 5000],
    [5, once, 8],
  ] as const) {
    client.headers(id, request(path), true);
    const peer = await server.connections.take();
    const { streamId } = await peer.next(frameTypes.headers);
    peer.headers(streamId, answer, false);
    peer.data(streamId, "x".repeat(bytes), false);
    assert.equal((await client.next(frameTypes.headers, id)).headers[":status"], "200");
    assert.equal((await client.next(frameTypes.data, id)).payload.length, bytes);
    peer.close();
    assert.equal((await client.next(frameTypes.headers, id)).headers["grpc-status"], "14");
  }
});

test("what a package resets or refuses after an answer has begun ends the call as it would have without being held", async () => {
  await using host = await open();
  const { client, server } = host;
  client.headers(1, request(repeatable), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, answer, false);
  peer.data(1, "begun", false);
  peer.reset(1, 2);
  assert.equal((await client.next(frameTypes.rstStream, 1)).payload.readUInt32BE(0), 2);
  client.headers(3, request(repeatable), true);
  await peer.next(frameTypes.headers, 3);
  peer.headers(3, answer, false);
  peer.headers(3, trailers, true);
  assert.equal((await client.next(frameTypes.headers, 3)).headers[":status"], "200");
  assert.equal((await client.next(frameTypes.headers, 3)).headers["grpc-status"], "0");
});
