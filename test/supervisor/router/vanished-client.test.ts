import assert from "node:assert/strict";
import { test } from "node:test";
import { Child } from "../../harness/child.ts";
import { within } from "../../harness/deadline.ts";
import { errorCodes, frameTypes, request } from "./harness/raw-peer.ts";
import { path, startRawRoute } from "./harness/raw-route.ts";

const callingClient = new URL("harness/calling-client.ts", import.meta.url).pathname;

test("a client that half-closes its connection is gone: its calls are cancelled, its connection ends", async () => {
  const { stack, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), false);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  client.socket.end();
  assert.equal(await peer.resetCode(1), errorCodes.cancel);
  await within("the connection's end", client.closed);
});

test("a client that is killed has each of its calls cancelled, and leaves nothing open", async () => {
  const { stack, router, server } = await startRawRoute();
  await using _ = stack;
  const calls = 50;
  await using client = new Child(process.execPath, [callingClient, router.mainSocket, path, String(calls)]);
  const peer = await server.connections.take();
  for (let call = 0; call < calls; call++) await peer.next(frameTypes.headers, 1 + call * 2);
  assert.equal((await router.counters()).openCalls, calls);
  client.kill("SIGKILL");
  for (let call = 0; call < calls; call++) assert.equal(await peer.resetCode(1 + call * 2), errorCodes.cancel);
  const { openCalls, connections } = await router.counters();
  assert.deepEqual([openCalls, connections], [0, 0]);
});

test("a client that is stopped while answers flow holds up nobody, and goes on when it is continued", async () => {
  const { stack, router, server, connect } = await startRawRoute();
  await using _ = stack;
  await using stopped = new Child(process.execPath, [callingClient, router.mainSocket, path, "1"]);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  stopped.kill("SIGSTOP");
  peer.headers(
    1,
    [
      [":status", "200"],
      ["content-type", "application/grpc"],
    ],
    false,
  );
  const frame = Buffer.alloc(16_384);
  for (let sent = 0; sent < 4; sent++) peer.data(1, frame, false);
  for (let credit = 0; credit < 4 * frame.length; ) {
    credit += (await peer.next(frameTypes.windowUpdate, 1)).payload.readUInt32BE(0);
  }
  // More than its window takes: the package is not credited for it.
  for (let sent = 0; sent < 4; sent++) peer.data(1, frame, false);
  const other = await connect();
  other.headers(1, request(path), true);
  await peer.next(frameTypes.headers, 3);
  peer.headers(
    3,
    [
      [":status", "200"],
      ["grpc-status", "0"],
    ],
    true,
  );
  await other.next(frameTypes.headers, 1);
  stopped.kill("SIGCONT");
  peer.data(1, "end", true);
  await stopped.output.waitFor(/ended after 131075 bytes/);
});
