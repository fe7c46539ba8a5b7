import assert from "node:assert/strict";
import { test } from "node:test";
import { MethodCounter } from "../../../supervisor/router/counters.ts";
import { bucketOf, latencyBoundsMs } from "../../../supervisor/router/latency-buckets.ts";
import { finish } from "./harness/raw-calls.ts";
import { answer, frameTypes, ok, RawPeer, RawServer, request } from "./harness/raw-peer.ts";
import { path, service, startRawRoute } from "./harness/raw-route.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

test("a method's calls are counted by code, its bytes both ways, its open ones, and how long they took", async () => {
  const { stack, router, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), false);
  client.data(1, "12345", true);
  client.headers(3, request(path), true);
  client.headers(5, request(path), false);
  client.data(5, "123", false);
  const peer = await server.connections.take();
  for (const id of [1, 3, 5]) await peer.next(frameTypes.headers, id);
  peer.headers(1, answer, false);
  peer.data(1, "1234567", false);
  peer.headers(1, ok, true);
  peer.headers(3, [...answer, ["grpc-status", "5"]], true);
  await client.next(frameTypes.headers, 1);
  await client.next(frameTypes.headers, 1);
  await client.next(frameTypes.headers, 3);
  // The last one has begun its answer: bytes count at once, not at the end.
  peer.headers(5, answer, false);
  peer.data(5, "12", false);
  await client.next(frameTypes.data, 5);

  const { methods, openCalls, parkedCalls } = await router.counters();
  const [counted] = methods;
  assert.ok(counted);
  const { totalMs, tookBuckets, ...rest } = counted;
  assert.deepEqual(rest, {
    package: "echo",
    method: path,
    started: 3,
    handled: { 0: 1, 5: 1 },
    open: 1,
    parked: 0,
    requestBytes: 8,
    answerBytes: 9,
  });
  assert.deepEqual([methods.length, openCalls, parkedCalls], [1, 1, 0]);
  assert.ok(totalMs > 0);
  assert.equal(tookBuckets.length, latencyBoundsMs.length + 1);
  assert.equal(
    tookBuckets.reduce((sum, calls) => sum + calls, 0),
    2,
  );
});

test("calls that wait are counted with their method and with the bytes that wait with them", async () => {
  await using router = await RouterProcess.start();
  const table = { routes: { [service]: "echo" } };
  await router.apply({ ...table, packages: { echo: row(undefined) } });
  const client = await RawPeer.client(router.mainSocket);
  client.headers(1, request(path), false);
  client.data(1, "1234", true);
  client.headers(3, request(`/${service}/Other`), true);
  client.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
  await client.next(frameTypes.ping);
  const parked = await router.counters();
  assert.equal(parked.parkedCalls, 2);
  assert.deepEqual(
    parked.methods.map(({ method, open, parked: waiting, requestBytes }) => [method, open, waiting, requestBytes]),
    [
      [path, 1, 1, 4],
      [`/${service}/Other`, 1, 1, 0],
    ],
  );
  await using server = await RawServer.listen(router.socketPath("echo"));
  await router.apply({ ...table, packages: { echo: row(router.socketPath("echo")) } });
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 3);
  const delivered = await router.counters();
  assert.deepEqual([delivered.openCalls, delivered.parkedCalls], [2, 0]);
  await finish(peer, client, 1, 1);
  client.close();
});

test("how long a call took falls into the first bucket whose bound it does not pass", () => {
  for (const [at, boundMs] of latencyBoundsMs.entries()) {
    assert.equal(bucketOf(boundMs), at);
    assert.equal(bucketOf(boundMs + 0.001), at + 1);
  }
  assert.equal(bucketOf(0), 0);
  const counter = new MethodCounter("echo", path);
  for (const tookMs of [0.1, 0.2, 7, 60_000]) counter.end(0, tookMs);
  assert.deepEqual(counter.tookBuckets, [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  assert.equal(counter.totalMs, 60_007.3);
});
