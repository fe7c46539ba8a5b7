import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Content, WriteAction } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Introspection } from "#proto/gen/containerd/services/introspection/v1/introspection_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { Health } from "#proto/gen/grpc/health/v1/health_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect, type Channel } from "#rpc";
import { digestOf, patternBytes } from "../differential/blobs.ts";
import { numbersFrom } from "../differential/chance.ts";
import { configFor, launchBulkhead, startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { scaled, within } from "../harness/deadline.ts";
import { listPlugins } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const limit = 16 * 1024 * 1024;
const scope = { metadata: { "containerd-namespace": "bad" } };

const target = () => ({ mediaType: "a/b", digest: `sha256:${"0".repeat(64)}`, size: 1n });
/** About so many bytes of labels. */
const labelsOf = (bytes: number) =>
  Object.fromEntries(Array.from({ length: bytes / 4000 }, (_, index) => [`l${index}`, "x".repeat(3990)]));

let daemon: BulkheadDaemon;
let channel: Channel;
let pids: readonly bigint[];

before(async () => {
  daemon = await startBulkhead();
  channel = connect(daemon.address, { maxMessageBytes: 64 * 1024 * 1024 });
  pids = (await listPlugins(daemon)).map(({ pid }) => pid);
});

after(async () => {
  channel[Symbol.dispose]();
  await daemon[Symbol.asyncDispose]();
});

test("a message of exactly 16 MiB passes, one byte more is resource-exhausted", async () => {
  const writeOf = async function* (bytes: number) {
    yield { ref: `of-${bytes}`, action: WriteAction.STAT };
    yield { action: WriteAction.WRITE, data: Buffer.alloc(bytes, "pattern") };
  };
  // The field's own tag, length and the action take a few bytes of the message.
  const overhead = 7;
  const content = clientOf(Content, channel);
  const answers = await Array.fromAsync(content.write(writeOf(limit - overhead), scope), ({ offset }) => offset);
  assert.equal(answers[1], BigInt(limit - overhead));
  await assert.rejects(Array.fromAsync(content.write(writeOf(limit + 1), scope)), (error) => {
    assert.ok(isHostError(error, "resource-exhausted"), String(error));
    return true;
  });
});

test("a unary request of 16 MiB + 1 is refused for each package, control's services too", async () => {
  for (const method of [
    "/containerd.services.version.v1.Version/Version",
    "/containerd.services.images.v1.Images/Get",
    "/containerd.services.events.v1.Events/Publish",
    "/containerd.services.content.v1.Content/Info",
  ]) {
    await assert.rejects(channel.unary(method, Buffer.alloc(limit + 1), scope), (error) => {
      assert.ok(isHostError(error, "resource-exhausted"), `${method}: ${String(error)}`);
      return true;
    });
  }
});

test("large requests reach every package, whatever their method and whoever it could be redirected to", async () => {
  const long = "x".repeat(1024 * 1024);
  const labels = labelsOf(1_200_000);
  const options = { ...scope, deadlineMs: Date.now() + 20_000 };
  const { image } = await clientOf(Images, channel).create(
    { image: { name: "large", target: target(), labels } },
    options,
  );
  assert.deepEqual(image?.labels, labels);
  const content = clientOf(Content, channel);
  const blob = Buffer.from("labelled");
  const commit = { ref: "l", action: WriteAction.COMMIT, data: blob };
  await Array.fromAsync(
    content.write(
      (async function* () {
        yield commit;
      })(),
      options,
    ),
  );
  const info = { digest: digestOf(blob), labels };
  assert.deepEqual((await content.update({ info }, options)).info?.labels, labels);
  assert.deepEqual(await Array.fromAsync(content.list({ filters: [`digest==${long}`] }, options)), []);
  const first = (async function* () {
    yield { ...commit, ref: "m", data: patternBytes(3 * long.length) };
  })();
  assert.equal((await Array.fromAsync(content.write(first, options))).length, 2);
  await clientOf(Events, channel).publish(
    { topic: "/large", event: { typeUrl: "a.B", value: Buffer.alloc(8 << 20) } },
    options,
  );
});

test("what ends the stock daemon does not end ours: events and envelopes left out", async () => {
  const events = clientOf(Events, channel);
  await assert.rejects(events.forward({}, scope), (error) => isHostError(error, "invalid-argument"));
  const timestamp = { seconds: 1_700_000_000n, nanos: 0 };
  const attempts = [
    events.forward({ envelope: { timestamp, namespace: "n", topic: "/a" } }, scope),
    events.publish({ topic: "/a" }, scope),
  ];
  await Promise.allSettled(attempts);
  await clientOf(Version, channel).version({});
});

test("noise on the main socket harms that connection only", async () => {
  for (const bytes of [
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    patternBytes(100_000),
    Buffer.alloc(0),
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff", "latin1"),
  ]) {
    const socket = connectSocket(daemon.address);
    socket.on("error", () => undefined);
    socket.resume();
    socket.end(bytes);
    await within("the connection closes", once(socket, "close"));
  }
  await clientOf(Version, channel).version({});
});

test("names of any bytes are refused or kept, and nobody restarts", async () => {
  const images = clientOf(Images, channel);
  for (const name of ["\0", "\u{10ffff}", "x".repeat(1_000_000), "../../../etc", " ", "\n\n"]) {
    await Promise.allSettled([
      images.create({ image: { name, target: target() } }, scope),
      images.get({ name }, scope),
      images.list({ filters: [name] }, scope),
      images.delete({ name }, scope),
      channel.unary(`/${name}/x`, new Uint8Array(), { deadlineMs: Date.now() + 5000 }),
    ]);
  }
  assert.deepEqual(
    (await listPlugins(daemon)).map(({ pid }) => pid),
    pids,
  );
});

test("max_recv_message_size and max_send_message_size bound messages of every package, above and below the default", async () => {
  const sizes = [1 << 20, 24 << 20] as const;
  const requestOf = (bytes: number) => ({ image: { name: "i", target: target(), labels: labelsOf(bytes) } });
  for (const [recv, send] of [sizes, sizes.toReversed()] as const) {
    await using folder = await makeTempFolder("m");
    const file = folder.join("config.yaml");
    const sizesText = `, max_recv_message_size: ${recv}, max_send_message_size: ${send} }`;
    await writeFile(file, configFor(folder).replace(/ \}\n/, `${sizesText}\n`));
    await using child = launchBulkhead(folder, file);
    await child.output.waitFor(/successfully booted in/);
    using large = connect(folder.join("c.sock"), { maxMessageBytes: 64 << 20 });
    const images = clientOf(Images, large);
    const created = images.create(requestOf(18 << 20), scope).then(
      () => "done",
      (error: unknown) => (isHostError(error) ? error.kind : String(error)),
    );
    // Either the request is too large to come in, or its answer, which repeats it, to go out.
    assert.equal(await created, "resource-exhausted");
    const isThere = (await images.list({}, scope).catch(() => undefined)) === undefined;
    assert.equal(isThere, recv > send, "what came in was kept, though it could not go out");
    child.kill("SIGTERM");
    assert.equal((await child.waitForExit()).code, 0, child.output.text);
  }
});

test("messages of chance, to every method that is routed, end no process", async () => {
  const next = numbersFrom(7);
  const services = [Content, Containers, Events, Images, Introspection, Leases, Namespaces, Snapshots, Version, Health];
  const paths = services.flatMap((service) => service.methods.map(({ name }) => `/${service.typeName}/${name}`));
  const bytes = () => Buffer.from(Array.from({ length: next(60) }, () => (next(3) === 0 ? next(256) : next(40))));
  for (let round = 0; round < scaled(20); round++) {
    await Promise.allSettled(
      paths.map((path) =>
        Array.fromAsync(
          channel.raw(path, Array.from({ length: 1 + next(3) }, bytes), { ...scope, deadlineMs: Date.now() + 300 }),
        ),
      ),
    );
  }
  assert.deepEqual(
    (await listPlugins(daemon)).map(({ pid }) => pid),
    pids,
  );
});
