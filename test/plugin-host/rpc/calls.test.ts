import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { HostError, isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect, implement, implementRaw, serve, type CallContext, type Channel, type Server } from "#rpc";
import { connectGrpcJs } from "#rpc/grpc-js";

let folder: string;
let server: Server;
const channels: Channel[] = [];
const seen: { context?: CallContext; cancelled?: Promise<unknown> } = {};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "bulkhead-rpc-"));
  server = serve({
    services: [
      implement(Version, {
        version: (_request, context) => {
          seen.context = context;
          context.setHeader("x-header", "h");
          context.setTrailer("x-trailer", "t");
          return { version: "1", revision: context.metadata["containerd-namespace"] ?? "" };
        },
      }),
      implement(Content, {
        delete: () => {
          throw new HostError("not-found", "content x: not found", {
            info: { reason: "GONE", metadata: { a: "b" } },
            retryAfterMs: 1500,
          });
        },
        list: async function* (_request, context) {
          seen.cancelled = new Promise((resolve) =>
            context.signal.addEventListener("abort", () => resolve(context.signal.reason)),
          );
          for (let index = 0; ; index++) yield { info: [{ digest: String(index) }] };
        },
        write: async function* (requests) {
          for await (const request of requests) yield { ref: request.ref, offset: BigInt(request.data.length) };
        },
      }),
      implementRaw("raw.Echo", {
        Twice: async function* (requests) {
          for await (const request of requests) {
            yield request;
            yield request;
          }
        },
      }),
    ],
  });
  await server.listen(join(folder, "s.sock"));
});

after(async () => {
  for (const channel of channels) channel[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

for (const [engine, open] of Object.entries({ frames: connect, "grpc-js": connectGrpcJs })) {
  describe(`called over ${engine}`, () => {
    let channel: Channel;
    before(() => {
      channel = open(join(folder, "s.sock"));
      channels.push(channel);
    });
    test("a unary call carries metadata both ways", async () => {
      const received: Record<string, string> = {};
      const answer = await clientOf(Version, channel).version(
        {},
        { metadata: { "containerd-namespace": "ns" }, onMetadata: (metadata) => Object.assign(received, metadata) },
      );
      assert.equal(answer.revision, "ns");
      assert.equal(received["x-header"], "h");
      assert.equal(received["x-trailer"], "t");
      assert.equal(seen.context?.method, "/containerd.services.version.v1.Version/Version");
    });

    test("an error keeps its kind, text and details", async () => {
      await assert.rejects(clientOf(Content, channel).delete({ digest: "x" }), (error) => {
        assert(isHostError(error, "not-found"));
        assert.equal(error.message, "content x: not found");
        assert.deepEqual(error.info, { reason: "GONE", metadata: { a: "b" } });
        assert.equal(error.retryAfterMs, 1500);
        return true;
      });
    });

    test("a method without a handler is unimplemented", async () => {
      await assert.rejects(clientOf(Content, channel).info({ digest: "x" }), (error) =>
        isHostError(error, "unimplemented"),
      );
    });

    test("a client that leaves a stream early cancels its handler", async () => {
      let count = 0;
      for await (const message of clientOf(Content, channel).list({})) {
        assert.equal(message.info[0]?.digest, String(count));
        if (++count === 100) break;
      }
      assert(isHostError(await seen.cancelled, "canceled"));
    });

    test("a deadline ends a stream with deadline-exceeded", async () => {
      const endless = async () => {
        for await (const message of clientOf(Content, channel).list({}, { deadlineMs: Date.now() + 100 })) void message;
      };
      await assert.rejects(endless(), (error) => isHostError(error, "deadline-exceeded"));
    });

    test("a bidirectional stream answers each message and ends when the client half-closes", async () => {
      const sizes = [0, 1, 100_000, 8_000_000];
      const answers: number[] = [];
      const requests = async function* () {
        for (const size of sizes) yield { ref: "r", data: new Uint8Array(size) };
      };
      for await (const answer of clientOf(Content, channel).write(requests())) answers.push(Number(answer.offset));
      assert.deepEqual(answers, sizes);
    });

    test("raw services relay bytes untouched", async () => {
      const answers: string[] = [];
      for await (const answer of channel.raw("/raw.Echo/Twice", [Buffer.from("ab")])) answers.push(answer.toString());
      assert.deepEqual(answers, ["ab", "ab"]);
    });

    test("a message over 16 MiB is refused with resource-exhausted", async () => {
      const requests = async function* () {
        yield { ref: "r", data: new Uint8Array(16 * 1024 * 1024 + 1) };
      };
      const call = async () => {
        for await (const answer of clientOf(Content, channel).write(requests())) void answer;
      };
      await assert.rejects(call(), (error) => isHostError(error, "resource-exhausted"));
    });

    test("an aborted signal rejects with its reason", async () => {
      const controller = new AbortController();
      const reason = new HostError("canceled", "enough");
      controller.abort(reason);
      await assert.rejects(clientOf(Version, channel).version({}, { signal: controller.signal }), reason);
    });
  });
}
