import assert from "node:assert/strict";
import { test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { fromBinary } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "#proto/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "#proto/gen/google/rpc/status_pb.ts";
import { echoClient, EchoServer, unary } from "./harness/echo-service.ts";
import { answer, errorCodes, frameTypes, ok, RawPeer, RawServer, request } from "./harness/raw-peer.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const service = "test.v1.Echo";
const routes = { [service]: "echo" };
const path = `/${service}/Unary`;

async function withRouter() {
  const stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  const client = echoClient(router.mainSocket, service);
  stack.defer(() => client.close());
  return { stack, router, client };
}

async function waitForParked(router: RouterProcess, count: number): Promise<void> {
  const end = Date.now() + 5000;
  while ((await router.counters()).parkedCalls !== count) assert.ok(Date.now() < end, `never ${count} parked calls`);
}

test("a connection before the first table waits in the backlog and is then served", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  stack.use(await EchoServer.listen(router.socketPath("echo"), service));
  const early = unary(client, Buffer.from("early"));
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes });
  assert.equal((await early).toString(), "early");
});

test("calls to a package that is away wait and are delivered when it is back", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  await router.apply({ packages: { echo: row(undefined) }, routes });
  const calls = Array.from({ length: 50 }, async (_, at) => unary(client, Buffer.from(`call ${at}`)));
  await waitForParked(router, 50);
  stack.use(await EchoServer.listen(router.socketPath("echo"), service));
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes });
  const answers = await Promise.all(calls);
  assert.deepEqual(
    answers.map(String),
    Array.from({ length: 50 }, (_, at) => `call ${at}`),
  );
});

test("a closed package fails calls at once, saying why", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  const closed = row(undefined, { state: "closed", lifecycle: "failed", reason: "exit code 3" });
  await router.apply({ packages: { echo: closed }, routes });
  await assert.rejects(unary(client, Buffer.alloc(1)), (error: grpc.ServiceError) => {
    assert.equal(error.code, grpc.status.UNAVAILABLE);
    assert.equal(error.details, "package echo is down, it is failed: exit code 3");
    const status = fromBinary(StatusSchema, error.metadata.get("grpc-status-details-bin")[0] as Buffer);
    assert.equal(status.code, 14);
    assert.deepEqual(
      status.details.map((any) => any.typeUrl),
      ["type.googleapis.com/google.rpc.ErrorInfo", "type.googleapis.com/google.rpc.RetryInfo"],
    );
    const info = fromBinary(ErrorInfoSchema, status.details[0]?.value ?? Buffer.alloc(0));
    assert.equal(info.reason, "PACKAGE_DOWN");
    assert.equal(info.domain, "bulkhead");
    assert.deepEqual(info.metadata, { package: "echo", state: "failed", handed_over: "false" });
    return true;
  });
});

test("no more calls wait than the policy says", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  const parking = { policy: "park", calls: 2, bytes: 1000, timeMs: 60_000 } as const;
  await router.apply({ packages: { echo: row(undefined, { parking }) }, routes });
  const waiting = [unary(client, Buffer.from("a")), unary(client, Buffer.from("b"))];
  await waitForParked(router, 2);
  await assert.rejects(unary(client, Buffer.from("c")), { code: grpc.status.UNAVAILABLE, details: /2 calls wait/ });
  stack.use(await EchoServer.listen(router.socketPath("echo"), service));
  await router.apply({ packages: { echo: row(router.socketPath("echo"), { parking }) }, routes });
  assert.deepEqual((await Promise.all(waiting)).map(String), ["a", "b"]);
});

test("no more bytes wait than the policy says", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  const parking = { policy: "park", calls: 9, bytes: 1000, timeMs: 60_000 } as const;
  await router.apply({ packages: { echo: row(undefined, { parking }) }, routes });
  await assert.rejects(unary(client, Buffer.alloc(2000)), {
    code: grpc.status.UNAVAILABLE,
    details: /1000 bytes wait/,
  });
  assert.equal((await router.counters()).parkedCalls, 0);
});

test("a call waits no longer than the policy, and no longer than its deadline", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  const parking = { policy: "park", calls: 9, bytes: 1000, timeMs: 100 } as const;
  await router.apply({ packages: { echo: row(undefined, { parking }) }, routes });
  await assert.rejects(unary(client, Buffer.alloc(1)), { code: grpc.status.UNAVAILABLE, details: /waited 100 ms/ });
  const raw = await RawPeer.client(router.mainSocket);
  stack.defer(() => raw.close());
  raw.headers(1, request(path, [["grpc-timeout", "20m"]]), true);
  const head = await raw.next(frameTypes.headers, 1);
  assert.equal(head.headers["grpc-status"], "4");
});

test("the deadline that a package is told is reduced by the wait", async () => {
  const { stack, router } = await withRouter();
  await using _ = stack;
  await router.apply({ packages: { echo: row(undefined) }, routes });
  const raw = await RawPeer.client(router.mainSocket);
  stack.defer(() => raw.close());
  raw.headers(1, request(path, [["grpc-timeout", "5S"]]), true);
  await waitForParked(router, 1);
  const late = Date.now();
  const server = stack.use(await RawServer.listen(router.socketPath("echo")));
  while (Date.now() - late < 20) await router.ping();
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes });
  const upstream = await server.connections.take();
  const head = await upstream.next(frameTypes.headers, 1);
  const timeout = head.headers["grpc-timeout"] ?? "";
  assert.match(timeout, /^\d{1,8}u$/);
  assert.ok(Number.parseInt(timeout, 10) < 4_985_000, timeout);
});

test("policy refuse answers at once while the package is away", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  const parking = { policy: "refuse", calls: 9, bytes: 1000, timeMs: 60_000 } as const;
  await router.apply({ packages: { echo: row(undefined, { parking }) }, routes });
  await assert.rejects(unary(client, Buffer.alloc(1)), { code: grpc.status.UNAVAILABLE });
});

test("during the boot a call for a service that nobody has yet waits for a table that names it", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  await router.apply({ booting: true, bootWaitMs: 5000 });
  const early = unary(client, Buffer.from("early"));
  await waitForParked(router, 1);
  stack.use(await EchoServer.listen(router.socketPath("echo"), service));
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes });
  assert.equal((await early).toString(), "early");
});

test("after bootWaitMs such a call is UNIMPLEMENTED", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  await router.apply({ booting: true, bootWaitMs: 50 });
  await assert.rejects(unary(client, Buffer.alloc(1)), { code: grpc.status.UNIMPLEMENTED });
});

test("a call in flight fails once, at once, when its package dies; an idempotent one is asked again", async () => {
  const { stack, router } = await withRouter();
  await using _ = stack;
  const idempotent = `/${service}/Get`;
  const socket = router.socketPath("echo");
  const methods = { [idempotent]: { idempotent: true } };
  const server = await RawServer.listen(socket);
  await router.apply({ packages: { echo: row(socket, { methods }) }, routes });
  const raw = await RawPeer.client(router.mainSocket);
  stack.defer(() => raw.close());
  raw.headers(1, request(path), false);
  raw.data(1, "\0\0\0\0\x01a", true);
  raw.headers(3, request(idempotent), false);
  raw.data(3, "\0\0\0\0\x01b", true);
  const first = await server.connections.take();
  await first.next(frameTypes.data, 1);
  await first.next(frameTypes.data, 3);
  await server[Symbol.asyncDispose]();
  const failed = await raw.next(frameTypes.headers, 1);
  assert.equal(failed.headers["grpc-status"], "14");
  assert.match(failed.headers["grpc-message"] ?? "", /went away during the call/);
  const lost = await router.fromRouter.take((message) => message.type === "lost");
  assert.deepEqual({ ...lost, reason: "" }, { type: "lost", package: "echo", generation: 1, reason: "" });

  const next = stack.use(await RawServer.listen(router.socketPath("second")));
  await router.apply({ packages: { echo: row(router.socketPath("second"), { generation: 2, methods }) }, routes });
  const second = await next.connections.take();
  assert.equal((await second.next(frameTypes.headers, 1)).headers[":path"], idempotent);
  assert.equal((await second.next(frameTypes.data, 1)).payload.toString(), "\0\0\0\0\x01b");
  second.headers(1, answer, false);
  second.data(1, "\0\0\0\0\x01c", false);
  second.headers(1, ok, true);
  assert.equal((await raw.next(frameTypes.data, 3)).payload.toString(), "\0\0\0\0\x01c");
  assert.equal((await raw.next(frameTypes.headers, 3)).headers[":status"], "200");
  assert.equal((await raw.next(frameTypes.headers, 3)).headers["grpc-status"], "0");
});

test("an idempotent call that meets each connection of a dying package is asked again, and of the next one once", async () => {
  const { stack, router } = await withRouter();
  await using _ = stack;
  const idempotent = `/${service}/Get`;
  const methods = { [idempotent]: { idempotent: true } };
  const socket = router.socketPath("echo");
  const server = await RawServer.listen(socket);
  await router.apply({ packages: { echo: row(socket, { methods }) }, routes });
  const raw = await RawPeer.client(router.mainSocket);
  stack.defer(() => raw.close());
  raw.headers(1, request(idempotent), true);
  for (let connection = 0; connection < 3; connection++) {
    const peer = await server.connections.take();
    await peer.next(frameTypes.headers, 1);
    peer.frame(frameTypes.ping, 0, 0, Buffer.alloc(8)); // it has been heard
    await peer.next(frameTypes.ping);
    peer.close();
  }
  await server[Symbol.asyncDispose]();
  const next = stack.use(await RawServer.listen(router.socketPath("second")));
  await router.apply({ packages: { echo: row(router.socketPath("second"), { generation: 2, methods }) }, routes });
  const second = await next.connections.take();
  await second.next(frameTypes.headers, 1);
  second.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
  await second.next(frameTypes.ping);
  second.close();
  const failed = await raw.next(frameTypes.headers, 1);
  assert.equal(failed.headers["grpc-status"], "14");
  assert.match(failed.headers["grpc-message"] ?? "", /went away during the call/);
});

test("a call that the package refused or never saw is asked again on another connection", async () => {
  const { stack, router } = await withRouter();
  await using _ = stack;
  const socket = router.socketPath("echo");
  const server = stack.use(await RawServer.listen(socket));
  await router.apply({ packages: { echo: row(socket) }, routes });
  const raw = await RawPeer.client(router.mainSocket);
  stack.defer(() => raw.close());
  for (const id of [1, 3]) {
    raw.headers(id, request(path), false);
    raw.data(id, `request ${id}`, true);
  }
  const first = await server.connections.take();
  await first.next(frameTypes.data, 1);
  await first.next(frameTypes.data, 3);
  first.reset(1, errorCodes.refusedStream);
  assert.equal((await first.next(frameTypes.data, 5)).payload.toString(), "request 1");
  first.writer.goaway(1, errorCodes.noError, "");
  first.flush();
  const second = await server.connections.take();
  const bodies = [await second.next(frameTypes.data, 1), await second.next(frameTypes.data, 3)];
  assert.deepEqual(bodies.map((frame) => frame.payload.toString()).sort(), ["request 1", "request 3"]);
  for (const id of [1, 3]) second.headers(id, [...answer, ["grpc-status", "0"]], true);
  for (const id of [1, 3]) assert.equal((await raw.next(frameTypes.headers, id)).headers["grpc-status"], "0");
});

test("calls beyond the package's MAX_CONCURRENT_STREAMS take a second connection, then wait", async () => {
  const { stack, router } = await withRouter();
  await using _ = stack;
  const socket = router.socketPath("echo");
  const server = stack.use(await RawServer.listen(socket, { maxConcurrentStreams: 1 }));
  await router.apply({ packages: { echo: row(socket) }, routes });
  const raw = await RawPeer.client(router.mainSocket);
  stack.defer(() => raw.close());
  raw.headers(1, request(path), true);
  const first = await server.connections.take();
  await first.next(frameTypes.headers, 1);
  await first.next(frameTypes.settings);
  raw.headers(3, request(path), true);
  raw.headers(5, request(path), true);
  const second = await server.connections.take();
  await second.next(frameTypes.headers, 1);
  await waitForParked(router, 1);
  first.headers(1, [...answer, ["grpc-status", "0"]], true);
  await first.next(frameTypes.headers, 3);
});

test("a new generation takes new calls while the old one ends what it has", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  const one = stack.use(await EchoServer.listen(router.socketPath("one"), service));
  const two = stack.use(await EchoServer.listen(router.socketPath("two"), service));
  await router.apply({ packages: { echo: row(router.socketPath("one")) }, routes });
  const open = client.Bidi();
  const ended = new Promise((resolve) => open.once("status", resolve));
  open.write(Buffer.from("a"));
  await new Promise((resolve) => open.once("data", resolve));
  await router.apply({ packages: { echo: row(router.socketPath("two"), { generation: 2 }) }, routes });
  await unary(client, Buffer.from("new"));
  assert.equal(two.metadata.length, 1);
  assert.equal(one.metadata.length, 1);
  router.send({ type: "drain", package: "echo", generation: 1, timeoutMs: 10_000 });
  open.write(Buffer.from("b"));
  assert.equal(String(await new Promise((resolve) => open.once("data", resolve))), "b");
  open.end();
  await ended;
  const drained = await router.fromRouter.take((message) => message.type === "drained");
  assert.deepEqual(drained, { type: "drained", package: "echo", generation: 1, openCalls: 0 });
});

test("the router serves on without control, and a control of a lower epoch is not heard", async () => {
  const { stack, router, client } = await withRouter();
  await using _ = stack;
  stack.use(await EchoServer.listen(router.socketPath("echo"), service));
  await router.apply({ epoch: 5, packages: { echo: row(router.socketPath("echo")) }, routes });
  router.disconnectControl();
  assert.equal((await unary(client, Buffer.from("alone"))).toString(), "alone");
  await router.connectControl();
  router.send({
    type: "table",
    table: {
      epoch: 4,
      seq: 9,
      booting: false,
      bootWaitMs: 0,
      packages: {},
      routes: {},
      choices: {},
      hostServices: {},
      limits: { maxRecvMessageBytes: 1, maxSendMessageBytes: 1 },
    },
  });
  await router.counters();
  assert.equal((await unary(client, Buffer.from("still"))).toString(), "still");
});
