import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallsInFlight } from "../../../supervisor/router/route-table.ts";
import { frameTypes, RawPeer, RawServer, request } from "./harness/raw-peer.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const path = "/test.v1.Echo/Unary";

async function inFlight(router: RouterProcess, packageName: string, generation: number): Promise<CallsInFlight> {
  router.send({ type: "in-flight", id: 1, package: packageName, generation });
  const answer = await router.fromRouter.take((message) => message.type === "in-flight");
  assert.ok(answer.type === "in-flight");
  return answer;
}

test("the calls that a package has are told, and after its death those it had", async () => {
  await using stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  const server = await RawServer.listen(router.socketPath("echo"));
  const routes = { "test.v1.Echo": "echo" };
  await router.apply({ packages: { echo: row(router.socketPath("echo")) }, routes });
  assert.deepEqual((await inFlight(router, "echo", 1)).calls, []);

  const client = await RawPeer.client(router.mainSocket);
  stack.defer(() => client.close());
  client.headers(1, request(path), true);
  const upstream = await server.connections.take();
  await upstream.next(frameTypes.headers, 1);
  client.headers(3, request(path), true);
  await upstream.next(frameTypes.headers, 3);
  const running = await inFlight(router, "echo", 1);
  const [first, second] = running.calls;
  assert.deepEqual([running.openCalls, first?.method, second?.method], [2, path, path]);
  assert.match(first?.caller ?? "", /^uid:\d+$/);
  assert.ok((first?.ageMs ?? 0) >= (second?.ageMs ?? 0), "the oldest comes first");

  await server[Symbol.asyncDispose]();
  await router.fromRouter.take((message) => message.type === "lost");
  const lost = await inFlight(router, "echo", 1);
  assert.deepEqual([lost.openCalls, lost.calls.map(({ method }) => method)], [2, [path, path]]);

  await router.apply({ packages: { echo: row(undefined, { generation: 2 }) }, routes });
  assert.deepEqual((await inFlight(router, "echo", 2)).calls, []);
  assert.equal((await inFlight(router, "echo", 1)).openCalls, 2);
});
