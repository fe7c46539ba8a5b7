import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { execa } from "execa";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { TaskOOMSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { packAny } from "#proto/wire/any.ts";
import { zeroTimestamp } from "#proto/wire/timestamp.ts";
import { containerdProgram } from "../harness/peers.ts";
import { digestOf } from "./blobs.ts";
import { badFilters } from "./bad-input.ts";
import { compareCases } from "./compare.ts";
import { observe, printed } from "./observe.ts";
import { call, run } from "./steps.ts";

const event = packAny(TaskOOMSchema, { containerId: "c1" });
const time = { seconds: 1_700_000_000n, nanos: 5 };
const target = { mediaType: "x/y", digest: digestOf("manifest"), size: 8n };
const container = {
  id: "c",
  runtime: { name: "io.containerd.runc.v2" },
  spec: { typeUrl: "t", value: Buffer.from("{}") },
};

// An envelope or event left out altogether ends the stock daemon (nil pointer); test/faults shows that ours lives on.

/** What changes in metadata, each of which is told. */
const changes = [
  call(Namespaces, "create", { namespace: { name: "events-made", labels: { a: "b" } } }),
  call(Namespaces, "update", { namespace: { name: "events-made", labels: { a: "c" } } }),
  call(Namespaces, "delete", { name: "events-made" }),
  call(Images, "create", { image: { name: "i", target, labels: { l: "1" } } }),
  call(Images, "update", { image: { name: "i", target, labels: { l: "2" } } }),
  call(Images, "delete", { name: "i" }),
  call(Containers, "create", { container }),
  call(Containers, "update", { container: { ...container, image: "img", labels: { k: "v" } } }),
  call(Containers, "delete", { id: "c" }),
];
const failures = [
  call(Namespaces, "delete", { name: "never-was" }),
  call(Images, "delete", { name: "absent" }),
  call(Images, "create", { image: { name: "bad" } }),
  call(Containers, "delete", { id: "absent" }),
];

compareCases("events", [
  {
    title: "each change is told once, in order, and failures are not",
    steps: [observe([], [...changes, ...failures])],
  },
  {
    title: "filters choose by namespace, topic and fields of the event",
    steps: [
      observe(['topic=="/images/create"'], changes),
      observe(["topic~=^/containers/"], changes),
      observe(["namespace==events-1,topic~=images"], changes),
      observe(["namespace!=events-1"], changes),
      observe(["event.name==i"], changes),
      observe(["event.id==c", "event.labels.l==2"], changes),
      observe(["event.runtime.name==io.containerd.runc.v2"], changes),
      observe(["event.container_id==c1"], [call(Events, "publish", { topic: "/t/x", event })]),
      observe(["event.containerId==c1"], [call(Events, "publish", { topic: "/t/x", event })]),
      observe([""], changes),
    ],
  },
  {
    title: "published and forwarded events arrive as they were sent",
    steps: [
      observe(
        [],
        [
          call(Events, "publish", { topic: "/tasks/oom", event }),
          call(Events, "publish", {
            topic: "/a/b-c/d.e_f",
            event: { typeUrl: "unknown.Type", value: Buffer.from("xyz") },
          }),
          call(Events, "publish", {
            topic: "/url",
            event: { ...event, typeUrl: `type.googleapis.com/${event.typeUrl}` },
          }),
          call(Events, "forward", { envelope: { timestamp: time, namespace: "fwd", topic: "/f/g", event } }),
          call(
            Events,
            "forward",
            { envelope: { timestamp: time, namespace: "fwd", topic: "/f/g", event } },
            { namespace: "" },
          ),
        ],
      ),
    ],
  },
  {
    title: "bad topics, namespaces and envelopes are refused",
    steps: [
      ...["", "/", "x", "x/y", "/a//b", "/a/", "/tasks/?", "/a b", "/-a", `/${"x".repeat(77)}`, "/ä"].flatMap(
        (topic) => [
          call(Events, "publish", { topic, event }),
          call(Events, "forward", { envelope: { timestamp: time, namespace: "n", topic, event } }),
        ],
      ),
      call(Events, "publish", { topic: "/a", event }, { namespace: "" }),
      call(Events, "publish", { topic: "/a", event }, { namespace: "bad ns" }),
      call(Events, "publish", {}),
      call(Events, "forward", { envelope: { namespace: "n", topic: "/a", event } }),
      call(Events, "forward", { envelope: { timestamp: zeroTimestamp(), namespace: "n", topic: "/a", event } }),
      call(Events, "forward", { envelope: { timestamp: time, topic: "/a", event } }),
      call(Events, "forward", { envelope: { timestamp: time, namespace: "bad ns", topic: "/a", event } }),
      call(Events, "forward", { envelope: { timestamp: time, namespace: "n", topic: "/a", event: create(AnySchema) } }),
      ...badFilters.map((filter) => call(Events, "subscribe", { filters: [filter] })),
    ],
  },
  {
    title: "ctr prints events, and the publish command makes them",
    steps: [
      printed([], changes),
      printed(['topic=="/namespaces/delete"'], changes),
      run(["events", "topic=="]),
      observe(
        [],
        [
          {
            title: "containerd publish",
            run: async ({ daemon }) => {
              const args = ["--address", daemon.address, "publish", "--topic", "/t/p", "--namespace", "pub"];
              const input = Buffer.from("\n\x09some.Type\x12\x02ok", "latin1");
              const { exitCode } = await execa(containerdProgram("containerd"), args, { input, reject: false });
              return exitCode ?? -1;
            },
          },
        ],
      ),
    ],
  },
]);
