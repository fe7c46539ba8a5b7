import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { within } from "../../harness/deadline.ts";
import { echoClient, EchoServer, unary } from "./harness/echo-service.ts";
import { fixedAnswers } from "./harness/fixed-answers.ts";
import { answer, frameTypes, ok, RawPeer, request } from "./harness/raw-peer.ts";
import { path, service, startRawRoute } from "./harness/raw-route.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const brokenService = "test.v1.Broken";

type Headers = readonly (readonly [string, string])[];

/** Node's HTTP/2 ends a connection after 1,000 frames that it takes for invalid, however long that takes. */
const calls = 1100;

function changed(name: string, value: string | undefined): Headers {
  return request(path).flatMap((each) =>
    each[0] !== name ? [each] : value === undefined ? [] : [[name, value] as const],
  );
}

/** Requests that some HTTP/2 libraries take for broken, though others answer them. */
const requests: Readonly<Record<string, { readonly headers: Headers; readonly trailers?: Headers }>> = {
  "no authority": { headers: changed(":authority", undefined) },
  "an authority that is none": { headers: changed(":authority", "/run/some where.sock") },
  "an authority that is a path": { headers: changed(":authority", "/run/some.sock") },
  "a space in its path": { headers: changed(":path", `${path} x`) },
  "a scheme that is none": { headers: changed(":scheme", "h ttp") },
  "two hosts": { headers: [...request(path), ["host", "a"], ["host", "b"]] },
  "a host that is none": { headers: [...request(path), ["host", "a b"]] },
  "a control character in a value": { headers: [...request(path), ["x-note", "a\u0001b"]] },
  "a control character in its type": { headers: changed("content-type", "application/grpc;\u0001") },
  "its length twice": { headers: [...request(path), ["content-length", "0"], ["content-length", "0"]] },
  "its length in trailers": { headers: request(path), trailers: [["content-length", "0"]] },
  "a host in trailers": { headers: request(path), trailers: [["host", "a"]] },
};

/** Answers of the kind: headers, and trailers where the headers do not end it. */
const answers: Readonly<Record<string, { readonly headers: Headers; readonly trailers?: Headers }>> = {
  "a status that is none": { headers: [[":status", "2000"], ...ok] },
  "a status in letters": { headers: [[":status", "ok"], ...ok] },
  "status 101": { headers: [[":status", "101"]], trailers: ok },
  "its length twice": { headers: [...answer, ["content-length", "0"], ["content-length", "0"], ...ok] },
  "a length that is none": { headers: [...answer, ["content-length", "-1"], ...ok] },
  "its length in trailers": { headers: answer, trailers: [["content-length", "0"], ...ok] },
  "its length in 1xx": {
    headers: [
      [":status", "103"],
      ["content-length", "0"],
    ],
    trailers: [...answer, ...ok],
  },
  "a control character in its code": { headers: [...answer, ["grpc-status", "\n"]] },
};

for (const [what, { headers, trailers }] of Object.entries(requests)) {
  test(`requests with ${what} end nobody else's calls, however many there are`, async () => {
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
    const client = await RawPeer.client(router.mainSocket);
    stack.defer(() => client.close());
    for (let id = 1; id < calls * 2; id += 2) {
      client.headers(id, headers, trailers === undefined);
      if (trailers !== undefined) client.headers(id, trailers, true);
    }
    client.frame(frameTypes.ping, 0, 0, Buffer.alloc(8));
    await within("the end of them", Promise.race([client.next(frameTypes.ping), client.closed]));
    chat.write(Buffer.from("second"));
    const [second] = (await within("a second answer", Promise.race([once(chat, "data"), failed]))) as [unknown];
    assert.deepEqual(second, Buffer.from("second"));
    chat.cancel();
    await failed.catch(() => undefined);
  });
}

for (const [what, { headers, trailers }] of Object.entries(answers)) {
  test(`answers with ${what} end no other calls of their callers, however many there are`, async () => {
    await using stack = new AsyncDisposableStack();
    const router = stack.use(await RouterProcess.start());
    stack.use(await EchoServer.listen(router.socketPath("echo"), service));
    const blocks = trailers === undefined ? [headers] : [headers, trailers];
    stack.use(await fixedAnswers(router.socketPath("broken"), blocks));
    const packages = { echo: row(router.socketPath("echo")), broken: row(router.socketPath("broken")) };
    await router.apply({ packages, routes: { [service]: "echo", [brokenService]: "broken" } });
    const channel = new grpc.Channel(`unix:${router.mainSocket}`, grpc.credentials.createInsecure(), {});
    stack.defer(() => channel.close());
    const calm = echoClient(router.mainSocket, service, { channelOverride: channel });
    const caller = echoClient(router.mainSocket, brokenService, { channelOverride: channel });
    const chat = calm.Bidi();
    const failed = once(chat, "error");
    chat.write(Buffer.from("first"));
    await within("an answer", once(chat, "data"));
    const asked = Array.from({ length: calls }, async () => unary(caller, Buffer.from("x")));
    const ended = await within("the end of them", Promise.allSettled(asked));
    assert.ok(ended.every(({ status }) => status === "rejected"));
    chat.write(Buffer.from("second"));
    const [second] = (await within("a second answer", Promise.race([once(chat, "data"), failed]))) as [unknown];
    assert.deepEqual(second, Buffer.from("second"));
    chat.cancel();
    await failed.catch(() => undefined);
  });
}

test("a package is told an authority that servers take: the client's, else its host, else localhost", async () => {
  const { stack, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, changed(":authority", "name:80"), true);
  client.headers(3, [...changed(":authority", undefined), ["host", "other"]], true);
  client.headers(5, changed(":authority", "/run/some.sock"), true);
  const peer = await server.connections.take();
  for (const [streamId, authority] of [
    [1, "name:80"],
    [3, "other"],
    [5, "localhost"],
  ] as const) {
    const { headers } = await peer.next(frameTypes.headers, streamId);
    assert.equal(headers[":authority"], authority);
    assert.equal(headers["host"], undefined);
  }
});

test("a status message that ends with a space reaches the client", async () => {
  const { stack, server, connect } = await startRawRoute();
  await using _ = stack;
  const client = await connect();
  client.headers(1, request(path), true);
  const peer = await server.connections.take();
  await peer.next(frameTypes.headers, 1);
  peer.headers(1, [...answer, ["grpc-status", "5"], ["grpc-message", "not found: "]], true);
  assert.equal((await client.next(frameTypes.headers, 1)).headers["grpc-message"], "not found: ");
});
