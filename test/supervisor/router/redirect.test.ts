import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits } from "../../../supervisor/router/limits.ts";
import { answer, frameTypes, ok, RawPeer, RawServer, request } from "./harness/raw-peer.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

const service = "test.v1.Blobs";
const path = `/${service}/Write`;
/** The target does not serve it. */
const other = "test.v1.Names";
const mark: [string, string][] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
  ["grpc-status", "0"],
  ["bulkhead-redirect", "content"],
  ["bulkhead-set-bulkhead-blob-ref", "7"],
];

async function withPackages(redirects: readonly string[] = ["content"], redirectMethods?: readonly string[]) {
  const stack = new AsyncDisposableStack();
  const router = stack.use(await RouterProcess.start());
  const metadata = stack.use(await RawServer.listen(router.socketPath("metadata")));
  const content = stack.use(await RawServer.listen(router.socketPath("content")));
  await router.apply({
    packages: {
      metadata: row(router.socketPath("metadata"), { redirects, redirectMethods, serves: [service, other] }),
      content: row(router.socketPath("content"), { serves: [service], redirects: ["metadata"] }),
    },
    routes: { [service]: "metadata", [other]: "metadata" },
  });
  const client = await RawPeer.client(router.mainSocket);
  stack.defer(() => client.close());
  return { stack, router, metadata, content, client };
}

test("a redirected call is replayed at the target with its bytes and the headers that were set", async () => {
  const { stack, metadata, content, client } = await withPackages();
  await using _ = stack;
  client.headers(1, request(path, [["containerd-namespace", "a"]]), false);
  client.data(1, "first", false);
  const from = await metadata.connections.take();
  await from.next(frameTypes.data, 1);
  from.headers(1, mark, true);
  const to = await content.connections.take();
  const head = await to.next(frameTypes.headers, 1);
  assert.equal(head.headers[":path"], path);
  assert.equal(head.headers["containerd-namespace"], "a");
  assert.equal(head.headers["bulkhead-blob-ref"], "7");
  assert.match(head.headers["bulkhead-caller"] ?? "", /^uid:/);
  assert.equal((await to.next(frameTypes.data, 1)).payload.toString(), "first");
  client.data(1, "second", true);
  assert.equal((await to.next(frameTypes.data, 1)).payload.toString(), "second");
  to.headers(1, answer, false);
  to.headers(1, ok, true);
  assert.equal((await client.next(frameTypes.headers, 1)).headers[":status"], "200");
  assert.equal((await client.next(frameTypes.headers, 1)).headers["grpc-status"], "0");
});

test("a package with redirects is given 64 KiB of a request, the target all of it", async () => {
  const { stack, metadata, content, client } = await withPackages();
  await using _ = stack;
  const body = Buffer.alloc(250 * 1024, "0123456789abcdef");
  client.headers(1, request(path), false);
  const sending = sendAsAllowed(client, body);
  const from = await metadata.connections.take();
  from.writer.windowUpdate(1, 1 << 24);
  from.writer.windowUpdate(0, 1 << 24);
  from.flush();
  for (let got = 0; got < 65_536; ) got += (await from.next(frameTypes.data, 1)).payload.length;
  from.writer.ping(Buffer.alloc(8), 0, false);
  from.flush();
  await from.next(frameTypes.ping);
  await assertNoFrame(from);
  from.headers(1, mark, true);
  const to = await content.connections.take();
  to.writer.windowUpdate(1, 1 << 24);
  to.writer.windowUpdate(0, 1 << 24);
  to.flush();
  const parts: Buffer[] = [];
  for (let got = 0; got < body.length; ) {
    const { payload } = await to.next(frameTypes.data, 1);
    parts.push(payload);
    got += payload.length;
  }
  assert.ok(Buffer.concat(parts).equals(body));
  // What the target took in full is credited to the client, once: its window is never more than the largest.
  assert.ok((await sending) <= 256 * 1024);
});

/** Sends `body` on stream 1 as its window allows; answers the largest that the window was, bytes. */
async function sendAsAllowed(client: RawPeer, body: Buffer): Promise<number> {
  let window = defaultLimits.firstWindowBytes;
  let largest = window;
  for (let at = 0; at < body.length; at += 16_384) {
    const part = body.subarray(at, at + 16_384);
    while (window < part.length) {
      window += (await client.next(frameTypes.windowUpdate, 1)).payload.readUInt32BE(0);
      largest = Math.max(largest, window);
    }
    client.data(1, part, false);
    window -= part.length;
  }
  return largest;
}

for (const [what, asked, redirectMethods] of [
  ["of a service that no target serves", `/${other}/Put`, undefined],
  ["of a method that the manifest does not name among those it redirects", `/${service}/Put`, [path]],
] as const) {
  test(`a call ${what} is given whole, and may not be redirected`, async () => {
    const { stack, metadata, client } = await withPackages(["content"], redirectMethods);
    await using _ = stack;
    client.headers(1, request(asked), false);
    const body = Buffer.alloc(100 * 1024, "0123456789abcdef");
    const from = await metadata.connections.take();
    from.writer.windowUpdate(1, 1 << 24);
    from.writer.windowUpdate(0, 1 << 24);
    from.flush();
    const sending = sendAsAllowed(client, body);
    for (let got = 0; got < body.length; ) got += (await from.next(frameTypes.data, 1)).payload.length;
    await sending;
    from.headers(1, mark, true);
    const refused = await client.next(frameTypes.headers, 1);
    assert.equal(refused.headers["grpc-status"], "13");
    assert.match(refused.headers["grpc-message"] ?? "", /may not redirect/);
  });
}

async function assertNoFrame(peer: RawPeer): Promise<void> {
  const data = peer.frames.take((frame) => frame.type === frameTypes.data);
  peer.frames.put({ type: frameTypes.data, flags: 0, streamId: 99, payload: Buffer.alloc(0), headers: {} });
  assert.equal((await data).streamId, 99);
}

test("a redirect that the manifest does not name is refused, and so is a second hop", async () => {
  const { stack, metadata, client } = await withPackages([]);
  await using _ = stack;
  client.headers(1, request(path), true);
  const from = await metadata.connections.take();
  await from.next(frameTypes.headers, 1);
  from.headers(1, mark, true);
  const refused = await client.next(frameTypes.headers, 1);
  assert.equal(refused.headers["grpc-status"], "13");
  assert.match(refused.headers["grpc-message"] ?? "", /redirects: \[content\]/);

  const two = await withPackages();
  await using _two = two.stack;
  two.client.headers(1, request(path), true);
  const first = await two.metadata.connections.take();
  await first.next(frameTypes.headers, 1);
  first.headers(1, mark, true);
  const second = await two.content.connections.take();
  await second.next(frameTypes.headers, 1);
  second.headers(
    1,
    mark.map(([name, value]) => [name, name === "bulkhead-redirect" ? "metadata" : value] as const),
    true,
  );
  assert.equal((await two.client.next(frameTypes.headers, 1)).headers["grpc-status"], "13");
});

test("a redirected call whose target is away waits there", async () => {
  const { stack, router, metadata, client } = await withPackages();
  await using _ = stack;
  const packages = {
    metadata: row(router.socketPath("metadata"), { redirects: ["content"], serves: [service] }),
    content: row(undefined, { serves: [service] }),
  };
  await router.apply({ packages, routes: { [service]: "metadata" } });
  client.headers(1, request(path), true);
  const from = await metadata.connections.take();
  await from.next(frameTypes.headers, 1);
  from.headers(1, mark, true);
  const again = stack.use(await RawServer.listen(router.socketPath("content2")));
  await router.apply({
    packages: { ...packages, content: row(router.socketPath("content2"), { generation: 2, serves: [service] }) },
    routes: { [service]: "metadata" },
  });
  const to = await again.connections.take();
  assert.equal((await to.next(frameTypes.headers, 1)).headers["bulkhead-blob-ref"], "7");
});
