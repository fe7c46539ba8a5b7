import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { isHostError, type ErrorKind } from "#proto/wire/errors.ts";
import { clientOf, connect, type Channel } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";

const scope = { metadata: { "containerd-namespace": "n" } };
const write = (channel: Channel) =>
  Array.fromAsync(
    clientOf(Content, channel).write(
      (async function* () {
        yield { ref: "r", action: WriteAction.COMMIT, data: Buffer.from("x") };
      })(),
      { ...scope, deadlineMs: Date.now() + 10_000 },
    ),
  );
const createNamespace = (channel: Channel) => clientOf(Namespaces, channel).create({ namespace: { name: "n" } }, scope);
const listImages = (channel: Channel) => clientOf(Images, channel).list({}, scope);

interface Expectation {
  readonly what: string;
  readonly call: (channel: Channel) => Promise<unknown>;
  /** Undefined: it works. */
  readonly refused?: { readonly kind: ErrorKind; readonly says: RegExp };
}

const unknownService = { kind: "unimplemented", says: /unknown service containerd\.services\./ } as const;
const cases: readonly { readonly disabled: string; readonly expectations: readonly Expectation[] }[] = [
  {
    disabled: "io.containerd.content.v1.content",
    expectations: [
      { what: "a namespace", call: createNamespace },
      {
        what: "an upload",
        call: write,
        refused: { kind: "failed-precondition", says: /io\.containerd\.content\.v1.*enable the content package/ },
      },
    ],
  },
  {
    disabled: "io.containerd.event.v1.exchange",
    expectations: [
      { what: "a namespace", call: createNamespace },
      { what: "an upload", call: write },
    ],
  },
  {
    disabled: "io.containerd.metadata.v1.bolt",
    expectations: [
      { what: "a namespace", call: createNamespace, refused: unknownService },
      { what: "an upload", call: write, refused: unknownService },
    ],
  },
  {
    disabled: "io.containerd.grpc.v1.images",
    expectations: [
      { what: "a list of images", call: listImages, refused: unknownService },
      { what: "an upload", call: write },
    ],
  },
];

for (const { disabled, expectations } of cases) {
  describe(`with ${disabled} disabled the daemon boots, and`, () => {
    let daemon: BulkheadDaemon;
    let channel: Channel;
    before(async () => {
      daemon = await startBulkhead({ config: `disabled_plugins: [${disabled}]\n` });
      channel = connect(daemon.address);
    });
    after(async () => {
      channel[Symbol.dispose]();
      await daemon[Symbol.asyncDispose]();
    });
    for (const { what, call, refused } of expectations) {
      it(`${what} ${refused === undefined ? "works" : `is refused as ${refused.kind}, saying why`}`, async () => {
        if (refused === undefined) return void (await call(channel));
        await assert.rejects(call(channel), (error) => {
          assert.ok(isHostError(error, refused.kind), String(error));
          assert.match(error.message, refused.says);
          return true;
        });
      });
    }
  });
}
