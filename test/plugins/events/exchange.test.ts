import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import {
  ContainerCreateSchema,
  ContainerUpdateSchema,
  TaskCreateSchema,
  TaskExitSchema,
} from "#proto/gen/containerd/events/events_pb.ts";
import { ImageCreateSchema } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { EnvelopeSchema } from "#proto/gen/containerd/types/types_pb.ts";
import { packAny } from "#proto/wire/any.ts";
import { timestampNow } from "#proto/wire/timestamp.ts";
import { defaultExchangeLimits, Exchange } from "../../../plugins/events/exchange.ts";
import { within } from "../../harness/deadline.ts";

const end = "/end/of/test";
const odd = { $typeName: "google.protobuf.Any", typeUrl: "no.Such", value: new Uint8Array([1, 2]) } as const;

/** Topics that a subscriber with these filters gets of those that `publish` sends. */
async function heard(filters: readonly string[], publish: (exchange: Exchange) => void): Promise<string[]> {
  const exchange = new Exchange();
  const stop = new AbortController();
  const stream = exchange.subscribe([...filters, `topic=="${end}"`], stop.signal);
  publish(exchange);
  exchange.publish("ns", end, odd);
  const topics: string[] = [];
  for await (const bytes of stream) {
    const { topic } = fromBinary(EnvelopeSchema, bytes);
    if (topic === end) break;
    topics.push(topic);
  }
  return topics;
}

function publishSamples(exchange: Exchange): void {
  const io = { stdin: "x", terminal: true };
  const runtime = { name: "rt", options: odd };
  exchange.publish("default", "/tasks/exit", packAny(TaskExitSchema, { containerId: "c1", pid: 7 }));
  exchange.publish("default", "/tasks/create", packAny(TaskCreateSchema, { containerId: "c1", io }));
  exchange.publish("default", "/containers/create", packAny(ContainerCreateSchema, { id: "c1", runtime }));
  const update = { id: "c1", labels: { "a.b": "c", e: "" }, snapshotKey: "sk" };
  exchange.publish("default", "/containers/update", packAny(ContainerUpdateSchema, update));
  exchange.publish("default", "/images/create", packAny(ImageCreateSchema, { name: "img", labels: { k: "v" } }));
  exchange.publish("other", "/odd", odd);
  exchange.publish("other", "/broken", { ...odd, typeUrl: "containerd.events.TaskExit", value: new Uint8Array([255]) });
}

/** What containerd 1.6.20 delivered of the same events. */
const delivered: readonly (readonly [filter: string, topics: readonly string[]])[] = [
  ["event", []],
  ["event.container_id", ["/tasks/exit", "/tasks/create"]],
  ["event.container_id==c1", ["/tasks/exit", "/tasks/create"]],
  ["event.container_id.x==c1", ["/tasks/exit", "/tasks/create"]],
  ["event.id", ["/containers/create", "/containers/update"]],
  ["event.pid", []],
  ["event.exited_at", []],
  ["event.io", []],
  ["event.io.stdin==x", ["/tasks/create"]],
  ["event.io.terminal", ["/tasks/create"]],
  ["event.rootfs", []],
  ["event.runtime.name==rt", ["/containers/create"]],
  ["event.runtime.options.type_url", []],
  ["event.labels", []],
  ["event.labels.a.b==c", ["/containers/update"]],
  ["event.labels.e", ["/containers/update"]],
  ["event.snapshot_key", ["/containers/update"]],
  ["event.snapshotKey", []],
  ["event.name==img", ["/images/create"]],
  ["event.labels.k", ["/images/create"]],
  ['topic.x=="/odd"', ["/odd"]],
  ["namespace==other", ["/odd", "/broken"]],
  ["timestamp", []],
  ["topic~=/^\\/tasks/", ["/tasks/exit", "/tasks/create"]],
];

describe("the exchange", () => {
  for (const [filter, topics] of delivered) {
    it(`delivers ${topics.length === 0 ? "nothing" : topics.join(" and ")} for ${filter}`, async () => {
      assert.deepEqual(await heard([filter], publishSamples), topics);
    });
  }

  it("passes the bytes of an unknown event unchanged, with namespace, topic and time", async () => {
    const exchange = new Exchange();
    const timestamp = timestampNow();
    const stream = exchange.subscribe([], new AbortController().signal);
    exchange.forward({ namespace: "ns", topic: "/a", timestamp, event: odd });
    const { value } = await stream.next();
    const envelope = fromBinary(EnvelopeSchema, value ?? new Uint8Array());
    assert.deepEqual([...(envelope.event?.value ?? [])], [...odd.value]);
    assert.equal(envelope.event?.typeUrl, "no.Such");
    assert.deepEqual([envelope.namespace, envelope.topic, envelope.timestamp], ["ns", "/a", timestamp]);
    await stream.return();
    assert.equal(exchange.subscribers, 0);
  });

  const badTopics: readonly (readonly [topic: string, problem: string])[] = [
    ["", "must not be empty"],
    ["tasks", "must start with '/'"],
    ["/", "must have at least one component"],
    ["/a//b", 'failed validation on component "": identifier must not be empty'],
    ["/a/", 'failed validation on component "": identifier must not be empty'],
    [
      "/tasks/?",
      'failed validation on component "?": identifier "?" must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$',
    ],
  ];
  for (const [topic, problem] of badTopics) {
    it(`refuses the topic ${JSON.stringify(topic)} in containerd's words`, () => {
      const message = `envelope topic "${topic}": ${problem}: invalid argument`;
      assert.throws(() => new Exchange().publish("ns", topic, odd), { kind: "invalid-argument", message });
    });
  }

  it("keeps topics of the host from those who do not name one", async () => {
    const publish = (exchange: Exchange) => {
      exchange.publish("ns", "/bulkhead/plugins/ready", odd);
      exchange.publish("ns", "/plain", odd);
    };
    assert.deepEqual(await heard([""], publish), ["/plain"]);
    assert.deepEqual(await heard(["namespace==ns"], publish), ["/plain"]);
    assert.deepEqual(await heard(["topic~=|^/.*|"], publish), ["/plain"]);
    assert.deepEqual(await heard(["topic~=|^/bulkhead/|"], publish), ["/bulkhead/plugins/ready"]);
    assert.deepEqual(await heard(['topic=="/bulkhead/plugins/ready"', "namespace"], publish), [
      "/bulkhead/plugins/ready",
      "/plain",
    ]);
    assert.deepEqual(await heard(['topic=="/bulkhead/plugins/ready",namespace==no'], publish), []);
  });

  it("ends a subscriber that falls behind and spares the others", async () => {
    const limits = { ...defaultExchangeLimits, subscriber: { events: 3, bytes: 1_000_000 } };
    const exchange = new Exchange(limits);
    const { signal } = new AbortController();
    const slow = exchange.subscribe([], signal);
    const alsoSlow = exchange.subscribe(["namespace"], signal);
    await Promise.all([0, 1, 2].map(() => Promise.resolve(exchange.publish("ns", "/a", odd))));
    for (let n = 0; n < 3; n++) assert.equal((await alsoSlow.next()).done, false);
    exchange.publish("ns", "/a", odd);
    assert.equal(exchange.subscribers, 1);
    await assert.rejects(slow.next(), (error: Error) => {
      assert.match(error.message, /more than 3 events or 1000000 bytes .* raise subscriberEvents/s);
      assert.equal((error as { kind?: string }).kind, "resource-exhausted");
      return true;
    });
    assert.equal((await alsoSlow.next()).done, false);
    await alsoSlow.return();
  });

  it("counts the bytes that wait, too", async () => {
    const exchange = new Exchange({ ...defaultExchangeLimits, subscriber: { events: 100, bytes: 1000 } });
    const stream = exchange.subscribe([], new AbortController().signal);
    exchange.publish("ns", "/a", { ...odd, value: new Uint8Array(2000) });
    await assert.rejects(stream.next(), { kind: "resource-exhausted" });
  });

  it("ends a waiting subscriber when its caller goes", async () => {
    const exchange = new Exchange();
    const stop = new AbortController();
    const next = exchange.subscribe([], stop.signal).next();
    stop.abort(new Error("gone"));
    await assert.rejects(within("the subscription ends", next), /gone/);
    assert.equal(exchange.subscribers, 0);
  });

  it("answers a broken filter as containerd, as an unknown error", () => {
    assert.throws(() => new Exchange().subscribe(["a", "b=="], new AbortController().signal), {
      kind: "unknown",
      message:
        "subscription error: failed parsing subscription filters: " +
        "filters: parse error: [b==]: expected value or quoted: invalid argument",
    });
  });

  it("keeps the latest events within its limits", () => {
    const exchange = new Exchange({ ...defaultExchangeLimits, ring: { events: 3, bytes: 1_000_000 } });
    for (let n = 0; n < 20; n++) exchange.publish("ns", `/n/${n}`, odd);
    const kept = exchange.ring.since(0n);
    assert.deepEqual(
      kept.map(({ event, sequence }) => [sequence, fromBinary(EnvelopeSchema, event).topic]),
      [
        [18n, "/n/17"],
        [19n, "/n/18"],
        [20n, "/n/19"],
      ],
    );
    assert.equal(exchange.ring.since(19n).length, 1);
  });
});
