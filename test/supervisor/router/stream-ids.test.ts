import assert from "node:assert/strict";
import { test } from "node:test";
import { unixListen } from "#linux";
import { defaultLimits } from "../../../supervisor/router/limits.ts";
import { Router } from "../../../supervisor/router/router.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { echoClient, EchoServer, unary } from "./harness/echo-service.ts";
import { emptyTable, row } from "./harness/router-process.ts";

const service = "test.v1.Echo";

test("a connection whose stream ids are used up is replaced without losing a call", async () => {
  await using folder = await makeTempFolder("ids");
  const upstream = folder.join("echo.sock");
  await using server = await EchoServer.listen(upstream, service);
  let sessions = 0;
  const http2 = (server.server as unknown as { http2Servers: Map<NodeJS.EventEmitter, unknown> }).http2Servers;
  for (const each of http2.keys()) each.on("session", () => sessions++);
  const options = { stateFolder: folder.path, addresses: undefined, onTakeOver: () => {} };
  // Streams 1, 3, 5, 7: four calls a connection.
  const router = new Router(options, { ...defaultLimits, lastStreamId: 7 });
  router.routes.apply({ ...emptyTable, packages: { echo: row(upstream) }, routes: { [service]: "echo" } });
  const socket = folder.join("main.sock");
  const caller = { packageName: undefined, label: "test" };
  router.listen("the main socket", unixListen(socket, { backlog: 64, mode: 0o600 }), () => caller);
  const client = echoClient(socket, service);
  try {
    const calls = Array.from({ length: 42 }, async (_, at) => unary(client, Buffer.from(`call ${at}`)));
    const answers = (await Promise.all(calls)).map(String);
    assert.deepEqual(
      answers,
      answers.map((_, at) => `call ${at}`),
    );
    assert.equal(sessions, 11);
  } finally {
    client.close();
    await new Promise<void>((resolve) => router.stop(5000, resolve));
  }
});
