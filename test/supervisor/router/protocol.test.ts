import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { answer, errorCodes, flags, frameTypes, ok, RawPeer, RawServer, request } from "./harness/raw-peer.ts";
import { startEchoRoute } from "./harness/echo-route.ts";
import { path, service, startRawRoute } from "./harness/raw-route.ts";
import { row, RouterProcess } from "./harness/router-process.ts";
import { encodeHeaders } from "#proto/http2/hpack-encoder.ts";
import { clientPreface } from "#proto/http2/constants.ts";

async function withRaw() {
  const route = await startRawRoute();
  return { ...route, client: await route.connect() };
}

const message = "\0\0\0\0\x01a";

test("a block in several CONTINUATION frames, padding, priority and unknown frames are understood", async () => {
  const { stack, connect } = await startEchoRoute();
  await using _ = stack;
  const peer = await connect();
  const block = encodeHeaders(request(path));
  const padded = Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 9]), block.subarray(0, 10), Buffer.alloc(3)]);
  peer.frame(frameTypes.headers, flags.padded | flags.priority, 1, padded);
  peer.frame(frameTypes.continuation, 0, 1, block.subarray(10, 20));
  peer.frame(frameTypes.continuation, flags.endHeaders, 1, block.subarray(20));
  peer.frame(frameTypes.priority, 0, 1, Buffer.from([0, 0, 0, 0, 5]));
  peer.frame(0x7b, 0, 0, Buffer.from("anything"));
  const body = Buffer.concat([Buffer.from([4]), Buffer.from(message), Buffer.alloc(4)]);
  peer.frame(frameTypes.data, flags.padded | flags.endStream, 1, body);
  assert.equal((await peer.next(frameTypes.data, 1)).payload.toString(), message);
});

test("what is no HTTP/2 client is sent away", async () => {
  const { stack, router } = await startEchoRoute();
  await using _ = stack;
  for (const text of ["GET / HTTP/1.1\r\n\r\n\r\n\r\n\r\n\r\n", "\0\0\0\0", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"]) {
    const peer = await RawPeer.silentClient(router.mainSocket);
    peer.raw(Buffer.from(text));
    await peer.closed;
  }
  const early = await RawPeer.silentClient(router.mainSocket);
  early.raw(Buffer.concat([clientPreface, Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0]), Buffer.alloc(8)]));
  assert.equal(await early.goaway(), errorCodes.protocolError);
});

const malformed: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  ["an upper-case name", request(path, [["X-Upper", "a"]])],
  ["a connection header", request(path, [["connection", "close"]])],
  ["te other than trailers", request(path).map(([name, value]) => [name, name === "te" ? "gzip" : value] as const)],
  ["an unknown pseudo-header", [[":foo", "a"], ...request(path)]],
  ["a pseudo-header after others", [...request(path), [":method", "POST"]]],
  ["two paths", [[":path", path], ...request(path)]],
  ["no path", request(path).filter(([name]) => name !== ":path")],
  ["a value with a line break", request(path, [["x", "a\nb"]])],
];

for (const [what, headers] of malformed) {
  test(`a request with ${what} is reset alone`, async () => {
    const { stack, connect } = await startEchoRoute();
    await using _ = stack;
    const peer = await connect();
    peer.headers(1, headers, false);
    assert.equal(await peer.resetCode(1), errorCodes.protocolError);
    peer.headers(3, request(path), false);
    peer.data(3, message, true);
    assert.equal((await peer.next(frameTypes.data, 3)).payload.toString(), message);
  });
}

test("an authority that is a percent-encoded path, as grpc-core says it, is a plain one to the package", async () => {
  await using router = await RouterProcess.start();
  await using server = await RawServer.listen(router.socketPath("echo"));
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes: { [service]: "echo" } });
  const client = await RawPeer.client(router.mainSocket);
  const authorities = ["%2Ftmp%2Fmain.sock", "example.org:80"];
  for (const [at, authority] of authorities.entries()) {
    const headers = request(path).map(([name, value]): [string, string] => [
      name,
      name === ":authority" ? authority : value,
    ]);
    client.headers(at * 2 + 1, headers, true);
  }
  const peer = await server.connections.take();
  const told = [await peer.next(frameTypes.headers), await peer.next(frameTypes.headers)];
  assert.deepEqual(
    told.map(({ headers }) => headers[":authority"]),
    ["localhost", "example.org:80"],
  );
  client.close();
});

test("what is HTTP/2 but no gRPC is told so", async () => {
  const { stack, connect } = await startEchoRoute();
  await using _ = stack;
  const peer = await connect();
  peer.headers(
    1,
    request(path).map(([name, value]) => [name, name === ":method" ? "GET" : value] as const),
    true,
  );
  assert.equal((await peer.next(frameTypes.headers, 1)).headers[":status"], "405");
  peer.headers(
    3,
    request(path).map(([name, value]) => [name, name === "content-type" ? "text/plain" : value] as const),
    true,
  );
  assert.equal((await peer.next(frameTypes.headers, 3)).headers[":status"], "415");
});

test("a request list over 16 KiB is RESOURCE_EXHAUSTED and the connection lives on", async () => {
  const { stack, connect } = await startEchoRoute();
  await using _ = stack;
  const peer = await connect();
  peer.headers(1, request(path, [["x-large", "a".repeat(17_000)]]), true);
  assert.equal((await peer.next(frameTypes.headers, 1)).headers["grpc-status"], "8");
  peer.headers(3, request(path), false);
  peer.data(3, message, true);
  await peer.next(frameTypes.data, 3);
});

test("a client that sends beyond its stream window is reset with FLOW_CONTROL_ERROR", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), false);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  for (let sent = 0; sent < 30; sent++) client.data(1, Buffer.alloc(16_384), false);
  assert.equal(await client.resetCode(1), errorCodes.flowControlError);
  assert.equal(await peer.resetCode(1), errorCodes.cancel);
});

test("a stalled reader holds up its own stream only, and what is held is bounded by its window", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  client.headers(3, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 3);
  peer.headers(1, answer, false);
  peer.headers(3, answer, false);
  // The client's window is 65535 for each stream and for the connection; it never credits stream 1.
  for (let sent = 0; sent < 16; sent++) peer.data(1, Buffer.alloc(16_384), false);
  for (let got = 0; got < 65_535; ) got += (await client.next(frameTypes.data, 1)).payload.length;
  client.writer.windowUpdate(0, 1 << 20);
  client.flush();
  for (let sent = 0; sent < 4; sent++) peer.data(3, Buffer.alloc(16_000), sent === 3);
  for (let got = 0; got < 64_000; ) got += (await client.next(frameTypes.data, 3)).payload.length;
  // The package got credit only for what the client took of stream 1: one byte more than its window breaks it.
  peer.data(1, Buffer.alloc(16_384), false);
  for (let sent = 0; sent < 4; sent++) peer.data(1, Buffer.alloc(16_384), false);
  assert.equal(await peer.resetCode(1), errorCodes.flowControlError);
  assert.equal(await client.resetCode(1), errorCodes.flowControlError);
});

test("held DATA goes out in order when the window opens, its trailers last", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, answer, false);
  const body = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));
  for (let at = 0; at < body.length; at += 16_384) peer.data(1, body.subarray(at, at + 16_384), false);
  peer.headers(1, ok, true);
  const parts: Buffer[] = [];
  for (let got = 0; got < body.length; ) {
    const { payload } = await client.next(frameTypes.data, 1);
    parts.push(payload);
    got += payload.length;
    client.writer.windowUpdate(0, payload.length);
    client.writer.windowUpdate(1, payload.length);
    client.flush();
  }
  assert.ok(Buffer.concat(parts).equals(body));
  await client.next(frameTypes.headers, 1);
  const trailers = await client.next(frameTypes.headers, 1);
  assert.equal(trailers.headers["grpc-status"], "0");
  assert.ok((trailers.flags & flags.endStream) !== 0);
});

test("an initial window that shrinks and grows moves open streams", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.writer.settings({ initialWindowBytes: 10 });
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, answer, false);
  peer.data(1, "0123456789abcdef", false);
  assert.equal((await client.next(frameTypes.data, 1)).payload.toString(), "0123456789");
  client.writer.settings({ initialWindowBytes: 5 });
  client.writer.settings({ initialWindowBytes: 13 });
  client.flush();
  assert.equal((await client.next(frameTypes.data, 1)).payload.toString(), "abc");
});

test("an answer before the request has ended ends the call, both sides being told to stop", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), false);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, [...answer, ["grpc-status", "9"], ["grpc-message", "no"]], true);
  const head = await client.next(frameTypes.headers, 1);
  assert.equal(head.headers["grpc-message"], "no");
  assert.equal(await client.resetCode(1), errorCodes.noError);
  assert.equal(await peer.resetCode(1), errorCodes.cancel);
});

test("a package's reset reaches the client with its code, and the client's loss the package as CANCEL", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), false);
  client.headers(3, request(path), false);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 3);
  peer.reset(1, errorCodes.internalError);
  assert.equal(await client.resetCode(1), errorCodes.internalError);
  client.close();
  assert.equal(await peer.resetCode(3), errorCodes.cancel);
});

test("1xx answers are passed on; an answer that is none ends its call as INTERNAL", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, [[":status", "103"]], false);
  peer.headers(1, [...answer, ["grpc-status", "0"]], true);
  assert.equal((await client.next(frameTypes.headers, 1)).headers[":status"], "103");
  assert.equal((await client.next(frameTypes.headers, 1)).headers["grpc-status"], "0");
  client.headers(3, request(path), true);
  await peer.next(frameTypes.headers, 3);
  peer.data(3, "early", false);
  assert.equal((await client.next(frameTypes.headers, 3)).headers["grpc-status"], "13");
});

test("a package that breaks HTTP/2 loses its connection; its calls fail once and the next works", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.frame(frameTypes.headers, flags.endHeaders, 1, Buffer.from([0xbf]));
  assert.equal((await client.next(frameTypes.headers, 1)).headers["grpc-status"], "14");
  client.headers(3, request(path), true);
  const next = await server.connections.take();
  await next.next(frameTypes.headers, 1);
});

test("a leading table size update of a package is not passed on", async () => {
  const { stack, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  const block = encodeHeaders([...answer, ["grpc-status", "0"]]);
  peer.frame(frameTypes.headers, flags.endHeaders | flags.endStream, 1, Buffer.concat([Buffer.from([0x20]), block]));
  assert.ok((await client.next(frameTypes.headers, 1)).payload.equals(block));
});

test("stop sends GOAWAY, lets open calls end, then ends the process", async () => {
  const { stack, router, server, client } = await withRaw();
  await using _ = stack;
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  const exited = once(router.child, "exit");
  router.tell({ type: "stop", timeoutMs: 10_000 });
  assert.equal(await client.goaway(), errorCodes.noError);
  await client.answerPing();
  assert.equal(await client.lastStream(), 1);
  peer.headers(1, [...answer, ["grpc-status", "0"]], true);
  await client.next(frameTypes.headers, 1);
  assert.deepEqual(await exited, [0, null]);
});

test("the router serves on when its holder has gone", async () => {
  const { stack, router, server, client } = await withRaw();
  await using _ = stack;
  const channel = router.child.stdio[3];
  assert.ok(channel);
  channel.destroy();
  await once(channel, "close");
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, [...answer, ["grpc-status", "0"]], true);
  await client.next(frameTypes.headers, 1);
});
