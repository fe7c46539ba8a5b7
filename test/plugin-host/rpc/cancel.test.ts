import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect, implement, serve } from "#rpc";
import { within } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

test("a server that cancels its calls waits for what their handlers set right", async () => {
  await using folder = await makeTempFolder("rpc");
  const begun = Promise.withResolvers<void>();
  const tidied = Promise.withResolvers<void>();
  let isTidied = false;
  const version = implement(Version, {
    async version(_request, { signal }) {
      begun.resolve();
      await once(signal, "abort");
      await tidied.promise;
      isTidied = true;
      throw signal.reason;
    },
  });
  const content = implement(Content, {
    async *list() {
      for (let index = 0; ; index++) yield { info: [{ digest: String(index) }] };
    },
  });
  await using server = serve({ services: [version, content] });
  await server.listen(folder.join("s.sock"));
  using channel = connect(folder.join("s.sock"));
  const call = clientOf(Version, channel).version({});
  const listing = (async () => {
    for await (const part of clientOf(Content, channel).list({})) void part;
  })();
  await within("the handler runs", begun.promise);
  const cancelled = server.cancel(new AbortController().signal);
  tidied.resolve();
  await within("the handlers end", cancelled);
  assert.ok(isTidied);
  for (const each of [call, listing]) {
    await assert.rejects(
      each,
      (error) => isHostError(error, "unavailable") && error.message === "the server is closing",
    );
  }
});

test("a handler that hears nothing holds up a server for as long as it is told", async () => {
  await using folder = await makeTempFolder("rpc");
  const begun = Promise.withResolvers<void>();
  const version = implement(Version, {
    version() {
      begun.resolve();
      return new Promise<never>(() => {});
    },
  });
  await using server = serve({ services: [version] });
  await server.listen(folder.join("s.sock"));
  using channel = connect(folder.join("s.sock"));
  const call = clientOf(Version, channel).version({});
  call.catch(() => {}); // ends with the server
  await within("the handler runs", begun.promise);
  const stop = new AbortController();
  const cancelled = server.cancel(stop.signal);
  stop.abort();
  await within("the server goes on", cancelled);
  assert.equal(server.openCalls, 1);
});
