import assert from "node:assert/strict";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { test } from "node:test";
import { TaskExitSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { Events, type PublishRequest } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { ImageCreateSchema } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import type { EnvelopeSchema } from "#proto/gen/containerd/types/types_pb.ts";
import { packAny } from "#proto/wire/any.ts";
import { HostError } from "#proto/wire/errors.ts";
import { implement, serve, type CallContext } from "#rpc";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { runCommand } from "./run-command.ts";

const timestamp = { seconds: 1_700_000_000n, nanos: 120_000_000 };
const samples: MessageInitShape<typeof EnvelopeSchema>[] = [
  {
    timestamp,
    namespace: "default",
    topic: "/tasks/exit",
    event: packAny(TaskExitSchema, { containerId: "c1", id: "c1", pid: 7, exitStatus: 137, exitedAt: timestamp }),
  },
  {
    timestamp: { seconds: 1_700_000_001n, nanos: 0 },
    namespace: "other",
    topic: "/images/create",
    event: packAny(ImageCreateSchema, { name: "i", labels: { a: "b" } }),
  },
  { timestamp, namespace: "default", topic: "/acme/done", event: { typeUrl: "acme.Done", value: Buffer.from("hi") } },
];

test("events prints time, namespace, topic and payload as ctr does, and --json a line an event", async () => {
  await using folder = await makeTempFolder();
  const address = folder.join("bulkhead.sock");
  const filters: string[][] = [];
  const subscribe = async function* (request: { filters: string[] }) {
    filters.push(request.filters);
    yield* samples;
  };
  await using server = serve({ services: [implement(Events, { subscribe })] });
  await server.listen(address);
  const people = await runCommand(["-a", address, "events", "topic==/tasks/exit", "namespace==x"]);
  assert.equal(people.code, 0, people.stderr);
  assert.deepEqual(people.stdout.split("\n"), [
    '2023-11-14 22:13:20.12 +0000 UTC default /tasks/exit {"container_id":"c1","id":"c1","pid":7,"exit_status":137,"exited_at":"2023-11-14T22:13:20.120Z"}',
    '2023-11-14 22:13:21 +0000 UTC other /images/create {"name":"i","labels":{"a":"b"}}',
    '2023-11-14 22:13:20.12 +0000 UTC default /acme/done {"type_url":"acme.Done","value":"aGk="}',
    "",
  ]);
  assert.deepEqual(filters, [["topic==/tasks/exit", "namespace==x"]]);
  const programs = await runCommand(["-a", address, "events", "--json"]);
  const [first] = programs.stdout.split("\n");
  assert.deepEqual(JSON.parse(first ?? ""), {
    timestamp: "2023-11-14T22:13:20.120Z",
    namespace: "default",
    topic: "/tasks/exit",
    type: "containerd.events.TaskExit",
    event: { container_id: "c1", id: "c1", pid: 7, exit_status: 137, exited_at: "2023-11-14T22:13:20.120Z" },
  });
});

test("publish sends the Any on stdin with its topic and namespace", async () => {
  await using folder = await makeTempFolder();
  const address = folder.join("bulkhead.sock");
  const published: { request: PublishRequest; namespace: string | undefined }[] = [];
  const publish = (request: PublishRequest, { metadata }: CallContext) => {
    if (request.topic === "bad") throw new HostError("invalid-argument", "topic bad: invalid argument");
    published.push({ request, namespace: metadata["containerd-namespace"] });
    return {};
  };
  await using server = serve({ services: [implement(Events, { publish })] });
  await server.listen(address);
  const args = ["--address", address, "publish", "--namespace", "n1", "--topic"];
  const stdin = toBinary(AnySchema, create(AnySchema, { typeUrl: "acme.Done", value: Buffer.from("hi") }));
  assert.deepEqual(await runCommand([...args, "/acme/done"], { stdin }), { code: 0, stdout: "", stderr: "" });
  assert.equal(published[0]?.namespace, "n1");
  assert.equal(published[0]?.request.topic, "/acme/done");
  assert.equal(Buffer.from(published[0]?.request.event?.value ?? []).toString(), "hi");
  const bad = await runCommand([...args, "bad"], { stdin });
  assert.deepEqual([bad.code, bad.stderr], [1, "bulkhead: publish bad: topic bad: invalid argument\n"]);
  const garbage = await runCommand([...args, "/x"], { stdin: Buffer.from("\xff\xff") });
  assert.equal(garbage.code, 1);
  assert.match(garbage.stderr, /^bulkhead: publish \/x: stdin holds no serialized google\.protobuf\.Any: /);
});
