import assert from "node:assert/strict";
import { test } from "node:test";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { digestOf } from "./content-client.ts";
import { inNamespace, startMetadata } from "./metadata-server.ts";

const one = inNamespace("one");
const target = { mediaType: "application/vnd.oci.image.index.v1+json", digest: digestOf("x"), size: 1n };

test("16 clients create, update and delete images at once: nothing is lost, events come in commit order", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const images = metadata.client(Images);
  const client = async (index: number): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) {
      const name = `image-${index}-${turn}`;
      await images.create({ image: { name, target } }, one);
      const labels = { turn: String(turn) };
      await images.update({ image: { name, labels }, updateMask: { paths: ["labels.turn"] } }, one);
      if (turn % 2 === 1) await images.delete({ name }, one);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, index) => client(index)));
  const { images: left } = await images.list({}, one);
  assert.equal(left.length, 160);
  assert.ok(left.every(({ name, labels }) => name.endsWith(`-${labels["turn"]}`)));
  const history = Map.groupBy(metadata.events, ({ event }) => (event as { name: string }).name);
  assert.equal(history.size, 320);
  for (const [name, events] of history) {
    const topics = events.map(({ topic }) => topic.slice("/images/".length));
    const expected = Number(name.split("-").at(-1)) % 2 === 1 ? ["create", "update", "delete"] : ["create", "update"];
    assert.deepEqual(topics, expected, name);
  }
});

test("of many clients that create one name at once exactly one succeeds", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const leases = metadata.client(Leases);
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => leases.create({ id: "l" }, one)));
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  assert.equal(failures.length, 49);
  assert.ok(failures.every((error) => isHostError(error, "already-exists")));
  assert.equal(metadata.events.length, 0);
});

test("Any values come back byte for byte, whatever they hold", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const containers = metadata.client(Containers);
  const value = Buffer.from([0, 255, 10, 3, 0xc3, 0x28]);
  const spec = { typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Spec", value };
  const extensions = { "io.containerd.x/y": { typeUrl: "type.googleapis.com/none", value } };
  await containers.create({ container: { id: "c", runtime: { name: "r", options: spec }, spec, extensions } }, one);
  const { container } = await containers.get({ id: "c" }, one);
  for (const any of [container?.spec, container?.runtime?.options, container?.extensions["io.containerd.x/y"]]) {
    assert.deepEqual(Buffer.from(any?.value ?? []), value);
  }
  assert.equal(container?.spec?.typeUrl, spec.typeUrl);
  assert.equal(container.extensions["io.containerd.x/y"]?.typeUrl, "type.googleapis.com/none");
});

test("names that differ only behind 2,000 bytes are two objects, each with its own lease resources", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const [leases, images] = [metadata.client(Leases), metadata.client(Images)];
  const long = "n".repeat(2000);
  for (const end of ["a", "b"]) {
    await images.create({ image: { name: long + end, target } }, one);
    await leases.create({ id: long + end }, one);
    await leases.addResource({ id: long + end, resource: { type: "ingests", id: long + end } }, one);
  }
  await images.delete({ name: `${long}a` }, one);
  await leases.delete({ id: `${long}a` }, one);
  assert.equal((await images.get({ name: `${long}b` }, one)).image?.name, `${long}b`);
  assert.deepEqual(
    (await leases.listResources({ id: `${long}b` }, one)).resources.map(({ id }) => id),
    [`${long}b`],
  );
});

test("a thousand containers stream one by one in byte order, and a reader may stop early", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const containers = metadata.client(Containers);
  const ids = Array.from({ length: 1000 }, (_, index) => `c${index}`);
  const rest = { runtime: { name: "r" }, spec: { typeUrl: "s" } };
  await Promise.all(ids.map((id) => containers.create({ container: { id, ...rest } }, one)));
  const seen: string[] = [];
  for await (const { container } of containers.listStream({}, one)) seen.push(container?.id ?? "");
  assert.deepEqual(seen, [...ids].sort());
  for await (const _ of containers.listStream({}, one)) break;
});

test("a removed namespace takes its leases and ingests along and can be made again", async () => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  const [namespaces, leases] = [metadata.client(Namespaces), metadata.client(Leases)];
  await leases.create({ id: "l" }, one);
  await namespaces.delete({ name: "one" });
  assert.deepEqual((await leases.list({}, one)).leases, []);
  await namespaces.create({ namespace: { name: "one" } }, one);
  await assert.rejects(leases.listResources({ id: "l" }, one), (error) => isHostError(error, "not-found"));
});
