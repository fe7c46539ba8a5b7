import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { clientPreface } from "#proto/http2/constants.ts";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect, implement, serve } from "#rpc";
import { numbersFrom } from "../../differential/chance.ts";
import { scaled, within } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { answer, ok, RawPeer, request } from "../../supervisor/router/harness/raw-peer.ts";
import { sendChanceFrame } from "../../supervisor/router/harness/chance-frames.ts";

const peers = scaled(300);
const framesOfEach = 30;

test("a server that is sent frames of chance answers its other clients and holds no call", async () => {
  await using folder = await makeTempFolder("ch");
  const version = implement(Version, { version: () => ({ version: "1", revision: "2" }) });
  const content = implement(Content, {
    async *read(_request, { signal }) {
      yield { data: Buffer.from("x") };
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
  });
  await using server = serve({ services: [version, content] });
  await server.listen(folder.join("s"));
  using channel = connect(folder.join("s"));
  const paths = ["containerd.services.version.v1.Version/Version", "containerd.services.content.v1.Content/Read"];
  const next = numbersFrom(3);
  for (let index = 0; index < peers; index++) {
    const peer = await RawPeer.client(folder.join("s"));
    const headers = request(`/${paths[next(2)]}`);
    for (let sent = 0; sent < framesOfEach; sent++) sendChanceFrame(peer, next, headers);
    if (index % 10 === 0) assert.equal((await clientOf(Version, channel).version({})).version, "1");
    peer.close();
    await within("the connection is gone", peer.closed);
  }
  await clientOf(Version, channel).version({});
  // Each of those calls is heard to be over when its connection is; this call itself is none of them.
  await within("every call has ended", server.drain(AbortSignal.timeout(10_000)));
  assert.equal(server.openCalls, 0);
});

test("a client that is sent frames of chance fails its calls and nothing else", async () => {
  await using folder = await makeTempFolder("ch");
  const next = numbersFrom(4);
  const broken = createServer((socket) => {
    const peer = new RawPeer(socket, clientPreface.length);
    if (next(4) > 0) peer.writer.settings({});
    peer.flush();
    for (let sent = 0; sent < framesOfEach; sent++) sendChanceFrame(peer, next, next(2) === 0 ? answer : ok);
    socket.end();
  });
  broken.listen(folder.join("b"));
  await once(broken, "listening");
  for (let index = 0; index < peers; index++) {
    using channel = connect(folder.join("b"));
    const call = clientOf(Version, channel).version({}, { deadlineMs: Date.now() + 2000 });
    await call.catch((error: unknown) => assert.ok(isHostError(error), String(error)));
  }
  broken.close();
  await once(broken, "close");
});
