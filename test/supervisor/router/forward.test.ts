import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { echoClient, EchoServer, unary } from "./harness/echo-service.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const service = "test.v1.Echo";

async function running() {
  const stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  const server = stack.use(await EchoServer.listen(router.socketPath("echo"), service));
  const table = { packages: { echo: row(router.socketPath("echo")) }, routes: { [service]: "echo" } };
  await router.apply(table);
  const client = echoClient(router.mainSocket, service);
  stack.defer(() => client.close());
  return { stack, router, server, client, table };
}

test("a unary call reaches its package and its answer comes back, with the caller named", async () => {
  const { stack, server, client } = await running();
  await using _ = stack;
  const answer = await unary(client, Buffer.from("hello"), {
    "containerd-namespace": "a",
    "bulkhead-caller": "forged",
    "bulkhead-x": "y",
  });
  assert.equal(answer.toString(), "hello");
  const [seen] = server.metadata;
  assert.deepEqual(seen?.get("bulkhead-caller"), [`uid:${process.getuid?.()}`]);
  assert.deepEqual(seen?.get("containerd-namespace"), ["a"]);
  assert.deepEqual(seen?.get("bulkhead-x"), []);
});

test("messages of 4 MiB pass both ways", async () => {
  const { stack, client } = await running();
  await using _ = stack;
  const request = Buffer.alloc(4 << 20, "x");
  assert.ok((await unary(client, request)).equals(request));
});

test("a client stream is passed on as it comes and answered at its end", async () => {
  const { stack, client } = await running();
  await using _ = stack;
  const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
    const call = client.ClientStream((error, value) => (error === null ? resolve(value) : reject(error)));
    for (let sent = 0; sent < 100; sent++) call.write(Buffer.alloc(70_000));
    call.end();
  });
  assert.equal(answer?.toString(), "7000000");
});

test("a server stream of 64 MiB arrives whole, though its reader is slow at first", async () => {
  const { stack, client } = await running();
  await using _ = stack;
  const call = client.ServerStream(Buffer.from("1024x65536"));
  let bytes = 0;
  call.on("data", (chunk: Buffer) => (bytes += chunk.length));
  await once(call, "end");
  assert.equal(bytes, 64 << 20);
});

test("both sides of a bidi stream may talk in turns, and half-close is passed on", async () => {
  const { stack, client } = await running();
  await using _ = stack;
  const call = client.Bidi();
  for (const word of ["one", "two", "three"]) {
    call.write(Buffer.from(word));
    const [answer] = (await once(call, "data")) as [Buffer];
    assert.equal(answer.toString(), word);
  }
  call.end();
  call.resume();
  const [status] = (await once(call, "status")) as [grpc.StatusObject];
  assert.equal(status.code, 0);
});

test("a client's cancellation reaches the package", async () => {
  const { stack, server, client, router } = await running();
  await using _ = stack;
  const call = client.Bidi();
  call.on("error", () => {});
  call.write(Buffer.from("x"));
  await once(call, "data");
  const seen = new Promise<void>((resolve) => {
    const before = server.cancelled;
    const timer = setInterval(() => {
      if (server.cancelled === before) return;
      clearInterval(timer);
      resolve();
    }, 5);
  });
  call.cancel();
  await seen;
  assert.equal((await router.counters()).openCalls, 0);
});

test("an unknown service is UNIMPLEMENTED with grpc-go's words", async () => {
  const { stack, router } = await running();
  await using _ = stack;
  const other = echoClient(router.mainSocket, "test.v1.Nobody");
  stack.defer(() => other.close());
  await assert.rejects(unary(other, Buffer.alloc(1)), {
    code: grpc.status.UNIMPLEMENTED,
    details: "unknown service test.v1.Nobody",
  });
});
