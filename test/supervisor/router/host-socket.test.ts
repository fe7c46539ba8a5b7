import assert from "node:assert/strict";
import { test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { echoClient, EchoServer, unary } from "./harness/echo-service.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const service = "test.v1.Echo";

async function withHost() {
  const stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  const one = stack.use(await EchoServer.listen(router.socketPath("one"), service));
  const two = stack.use(await EchoServer.listen(router.socketPath("two"), service));
  const host = stack.use(await EchoServer.listen(router.socketPath("control"), "bulkhead.host.v1.Host"));
  const calls = { [service]: { package: "one", choices: { one: "one", "io.x.v1.two": "two" } } };
  const packages = {
    acme: row(undefined, { calls }),
    poor: row(undefined),
    one: row(router.socketPath("one"), { serves: [service] }),
    two: row(router.socketPath("two"), { serves: [service] }),
    control: row(router.socketPath("control")),
  };
  await router.apply({
    packages,
    routes: { [service]: "one" },
    choices: { [service]: { two: "two", "io.x.v1.two": "two" } },
    hostServices: { "bulkhead.host.v1.Host": "control" },
  });
  const connect = (socket: string, name: string) => {
    const client = echoClient(socket, name);
    stack.defer(() => client.close());
    return client;
  };
  return { stack, router, one, two, host, connect };
}

test("a package reaches through its host socket what its manifest names, and is named as the caller", async () => {
  const { stack, router, one, two, host, connect } = await withHost();
  await using _ = stack;
  const socket = router.openHostSocket("acme");
  const client = connect(socket, service);
  await unary(client, Buffer.from("x"), { "bulkhead-caller": "uid:0" });
  assert.deepEqual(one.metadata[0]?.get("bulkhead-caller"), ["acme"]);
  await unary(client, Buffer.from("x"), { "bulkhead-plugin": "io.x.v1.two" });
  assert.equal(two.metadata.length, 1);
  await unary(connect(socket, "bulkhead.host.v1.Host"), Buffer.from("x"));
  assert.equal(host.metadata.length, 1);
});

test("anything else on a host socket is PERMISSION_DENIED naming the missing line", async () => {
  const { stack, router, connect } = await withHost();
  await using _ = stack;
  const client = connect(router.openHostSocket("poor"), service);
  await assert.rejects(unary(client, Buffer.from("x")), {
    code: grpc.status.PERMISSION_DENIED,
    details:
      'package poor may not call test.v1.Echo: its plugin.yaml lacks "calls: [io.x.v1.two]" (or requires, or wants)',
  });
});

test("a client of the main socket picks among packages with bulkhead-plugin", async () => {
  const { stack, router, one, two, connect } = await withHost();
  await using _ = stack;
  const client = connect(router.mainSocket, service);
  await unary(client, Buffer.from("x"), { "bulkhead-plugin": "two" });
  assert.equal(two.metadata.length, 1);
  assert.deepEqual(two.metadata[0]?.get("bulkhead-plugin"), []);
  await unary(client, Buffer.from("x"), { "bulkhead-plugin": "one" });
  assert.equal(one.metadata.length, 1);
  await assert.rejects(unary(client, Buffer.from("x"), { "bulkhead-plugin": "three" }), {
    code: grpc.status.NOT_FOUND,
    details: 'no plugin "three" serves test.v1.Echo: bulkhead-plugin may be one of io.x.v1.two, one, two',
  });
});

test("a host service is not reached from the main socket", async () => {
  const { stack, router, connect } = await withHost();
  await using _ = stack;
  const client = connect(router.mainSocket, "bulkhead.host.v1.Host");
  await assert.rejects(unary(client, Buffer.from("x")), { code: grpc.status.UNIMPLEMENTED });
});
