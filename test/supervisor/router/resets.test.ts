import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { within } from "../../harness/deadline.ts";
import { echoClient, EchoServer, unary } from "./harness/echo-service.ts";
import { begin, finish } from "./harness/raw-calls.ts";
import { answer, errorCodes, frameTypes, RawPeer, RawServer, request } from "./harness/raw-peer.ts";
import { path, service, startRawRoute } from "./harness/raw-route.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

/** Of each client, which it may; of two together more than Node's HTTP/2 takes before it ends a connection. */
const resets = 800;

test("a client that resets its calls, or leaves in the middle of them, has no other client's calls ended", async () => {
  await using stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  stack.use(await EchoServer.listen(router.socketPath("echo"), service));
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes: { [service]: "echo" } });
  const calm = echoClient(router.mainSocket, service);
  stack.defer(() => calm.close());
  const chat = calm.Bidi();
  const failed = once(chat, "error");
  chat.write(Buffer.from("first"));
  await within("an answer", once(chat, "data"));

  const peers = await Promise.all(Array.from({ length: 4 }, async () => RawPeer.client(router.mainSocket)));
  stack.defer(() => peers.forEach((peer) => peer.close()));
  for (const [at, peer] of peers.entries()) {
    for (let id = 1; id < resets * 2; id += 2) {
      peer.headers(id, request(`/${service}/Bidi`), false);
      if (at % 2 === 0) peer.reset(id, errorCodes.cancel);
    }
    peer.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
    await peer.next(frameTypes.ping);
    if (at % 2 === 1) peer.close();
  }
  for (let call = 0; call < 20; call++) assert.equal((await unary(calm, Buffer.from("x"))).toString(), "x");
  chat.write(Buffer.from("second"));
  const [second] = (await within("a second answer", Promise.race([once(chat, "data"), failed]))) as [unknown];
  assert.deepEqual(second, Buffer.from("second"));
});

test("a package that takes resets as they come is told of all of them at once", async () => {
  await using router = await RouterProcess.start();
  await using server = await RawServer.listen(router.socketPath("echo"), { unpacedResets: true });
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes: { [service]: "echo" } });
  const calm = await RawPeer.client(router.mainSocket);
  calm.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  const leaving = await RawPeer.client(router.mainSocket);
  const ids = await begin(leaving, peer, resets, 1);
  leaving.close();
  for (const id of ids) await peer.resetCode(id);
  await finish(peer, calm, 1, 1);
  calm.close();
});

test("resets that wait hold up nothing: calls go to another connection, and theirs ends with its last call", async () => {
  const { stack, router, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  const leaving = await connect();
  const ids = await begin(leaving, peer, resets, 1);
  leaving.close();
  // Its calls are ended some at a time.
  let open: number;
  do open = (await router.counters()).openCalls;
  while (open > 1);
  client.headers(3, request(path), true);
  const other = await server.connections.take();
  await other.next(frameTypes.headers);
  await finish(other, client, 1, 3);

  // What the package sends meanwhile is no flood: it cannot know.
  const last = ids.at(-1) ?? 0;
  peer.writer.headers(last, encodeHeaders(answer), false, 16_384);
  for (let frame = 0; frame < 10_000; frame++) peer.writer.data(last, Buffer.from("x"), 0, 1, false);
  peer.flush();
  await finish(peer, client, 1, 1);
  await peer.closed;
});
