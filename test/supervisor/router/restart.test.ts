import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, mkdtempSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { scaled, within } from "../../harness/deadline.ts";
import { echoClient, EchoServer, unary } from "./harness/echo-service.ts";
import { frameTypes, RawPeer, request } from "./harness/raw-peer.ts";
import { listenIn, row, RouterProcess } from "./harness/router-process.ts";

const service = "test.v1.Echo";
/** Fewer than the listener's backlog of 4,096, and far more than the 511 that Node would make of it. */
const connects = scaled(3000);

/** A state folder and a listener that outlive routers, an echo package, and routers that start on both. */
async function sharedListener() {
  const stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-router-"));
  const listener = listenIn(folder);
  stack.defer(() => closeSync(listener));
  const start = async (): Promise<RouterProcess> => stack.use(await RouterProcess.start({ folder, listener }));
  const first = await start();
  const socket = first.socketPath("echo");
  stack.use(await EchoServer.listen(socket, service));
  await first.apply({ packages: { echo: row(socket) }, routes: { [service]: "echo" } });
  await within("the table is kept", untilKept(folder));
  return { stack, first, start };
}

test("3,000 clients that connect while no router runs are each answered by the next one", async () => {
  const { stack, first, start } = await sharedListener();
  await using _ = stack;
  const ended = once(first.child, "exit");
  first.child.kill("SIGKILL");
  await ended;
  const clients: RawPeer[] = [];
  stack.defer(() => clients.forEach((client) => client.close()));
  while (clients.length < connects) {
    const client = await RawPeer.client(first.mainSocket);
    client.headers(1, request(`/${service}/Unary`), false);
    client.data(1, Buffer.from([0, 0, 0, 0, 2, 104, 105]), true);
    clients.push(client);
  }
  // The file of the last table is all it has: control need not live.
  const next = await start();
  next.disconnectControl();
  for (const client of clients) {
    const { payload } = await client.next(frameTypes.data, 1);
    assert.equal(payload.subarray(5).toString(), "hi");
  }
});

test("two routers overlap on one listener: the old one drains, the new one serves, and no call fails", async () => {
  const { stack, first, start } = await sharedListener();
  await using _ = stack;
  const client = echoClient(first.mainSocket, service);
  stack.defer(() => client.close());
  const chat = client.Bidi();
  chat.write(Buffer.from("before"));
  await within("an answer", once(chat, "data"));

  const over = new AbortController();
  const callers = Array.from({ length: 8 }, async () => {
    // nghttp2 refuses by itself what Node has asked it to send and it has not sent yet when a GOAWAY comes in; clients
    // make such a call again unless told not to. What the router may refuse then is in late-frames.test.ts.
    const caller = echoClient(first.mainSocket, service, { "grpc.enable_retries": 1 });
    let calls = 0;
    for (; !over.signal.aborted; calls++) assert.equal((await unary(caller, Buffer.from("x"))).toString(), "x");
    caller.close();
    return calls;
  });
  const second = await start();
  const exited = once(first.child, "exit");
  first.tell({ type: "stop", timeoutMs: 20_000 });
  // Callers leave the old router on their own; calls that it had before go on there.
  await within("the new router serves all callers", untilConnections(second, callers.length));
  chat.write(Buffer.from("after"));
  assert.equal(String((await within("the old router's answer", once(chat, "data")))[0]), "after");
  chat.end();
  await within("the end of the old call", once(chat, "end"));
  assert.deepEqual(await within("the old router ends", exited), [0, null]);
  over.abort();
  assert.ok((await Promise.all(callers)).every((calls) => calls > 0));
});

test("a router serves on while control is dead, and takes the table of the next control, whose epoch is higher", async () => {
  const { stack, first } = await sharedListener();
  await using _ = stack;
  const client = echoClient(first.mainSocket, service);
  stack.defer(() => client.close());
  first.disconnectControl();
  assert.equal((await unary(client, Buffer.from("alone"))).toString(), "alone");
  await first.connectControl();
  const packages = { echo: row(undefined, { state: "closed", lifecycle: "stopped" }) };
  await first.apply({ epoch: 2, packages, routes: { [service]: "echo" } });
  await assert.rejects(unary(client, Buffer.from("gone")), { code: 14 });
});

/** Until a router that starts in `folder` finds the table of the one before. */
async function untilKept(folder: string): Promise<void> {
  for (;;) {
    const names = await readdir(folder);
    if (names.includes("routes")) return;
  }
}

async function untilConnections(router: RouterProcess, connections: number): Promise<void> {
  while ((await router.counters()).connections < connections);
}
