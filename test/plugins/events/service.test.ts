import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clientOf } from "#rpc";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { timestampNow, zeroTimestamp } from "#proto/wire/timestamp.ts";
import { Exchange } from "../../../plugins/events/exchange.ts";
import { Repeats } from "../../../plugins/events/repeats.ts";
import { eventsService } from "../../../plugins/events/service.ts";
import { scaled, within } from "../../harness/deadline.ts";
import { serveService } from "../serve-service.ts";

const event = { typeUrl: "no.Such", value: new Uint8Array([1]) };
const metadata = { "containerd-namespace": "default" };
const pattern = "^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$";

async function openEvents() {
  const exchange = new Exchange();
  const served = await serveService(eventsService(exchange, new Repeats()));
  return {
    exchange,
    client: clientOf(Events, served.channel),
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

/** Resolves when that many subscriptions are open: each tells of itself by the first event it gets. */
async function untilHeard(streams: readonly AsyncIterator<unknown>[], publish: () => Promise<unknown>): Promise<void> {
  const first = Promise.all(streams.map((stream) => stream.next()));
  let open = false;
  void first.then(() => (open = true)); // a failure shows where `first` is awaited
  while (!open) await Promise.race([publish().then(() => new Promise(setImmediate)), first]);
  await first;
}

describe("the events service", () => {
  it("publishes in the caller's namespace and delivers to every subscriber, whatever theirs", async () => {
    await using events = await openEvents();
    const publish = () => events.client.publish({ topic: "/a/b", event }, { metadata });
    const stream = events.client.subscribe({ filters: [] })[Symbol.asyncIterator]();
    await within("the subscription hears", untilHeard([stream], publish));
    await events.client.publish({ topic: "/last", event }, { metadata });
    for (;;) {
      const { value } = (await within("an event", stream.next())) as { value: { topic: string; namespace: string } };
      assert.equal(value.namespace, "default");
      if (value.topic === "/last") break;
    }
    await stream.return?.();
  });

  it("needs a namespace to publish in", async () => {
    await using events = await openEvents();
    await assert.rejects(events.client.publish({ topic: "bad", event }), {
      kind: "failed-precondition",
      message: "failed publishing event: namespace is required: failed precondition",
    });
  });

  const bad = [
    [{ namespace: "", topic: "/a" }, "event envelope has invalid namespace: identifier must not be empty"],
    [
      { namespace: "a..b", topic: "/a" },
      `event envelope has invalid namespace: identifier "a..b" must match ${pattern}`,
    ],
    [{ namespace: "a", topic: "a" }, `envelope topic "a": must start with '/'`],
    [{ namespace: "a", topic: "/a", timestamp: zeroTimestamp() }, "timestamp must be set on forwarded event"],
    [{ namespace: "a", topic: "/a", timestamp: undefined }, "timestamp must be set on forwarded event"],
  ] as const;
  for (const [envelope, message] of bad) {
    it(`refuses to forward: ${message}`, async () => {
      await using events = await openEvents();
      const forward = events.client.forward({ envelope: { timestamp: timestampNow(), event, ...envelope } });
      await assert.rejects(forward, { kind: "invalid-argument", message: `${message}: invalid argument` });
    });
  }

  it("survives messages without event or envelope", async () => {
    await using events = await openEvents();
    await assert.rejects(events.client.publish({ topic: "/a" }, { metadata }), { kind: "invalid-argument" });
    await assert.rejects(events.client.forward({}), { kind: "invalid-argument" });
  });

  it("drops what a package sends twice, but not what a client does", async () => {
    await using events = await openEvents();
    const envelope = { namespace: "a", topic: "/a", timestamp: timestampNow(), event };
    for (let n = 0; n < 3; n++) await events.client.forward({ envelope });
    assert.equal(events.exchange.ring.sequence, 1n);
    for (let n = 0; n < 3; n++) await events.client.forward({ envelope }, { metadata: { "bulkhead-caller": "uid:0" } });
    assert.equal(events.exchange.ring.sequence, 4n);
  });

  it("serves thousands of subscribers while one never reads", async () => {
    await using events = await openEvents();
    const count = scaled(2_000);
    const readerCount = 3;
    const stop = new AbortController();
    const streams = Array.from({ length: count }, (_, n) => {
      const filters = n <= readerCount ? ["namespace"] : ['topic=="/open"', 'topic=="/done"'];
      return events.client.subscribe({ filters }, { signal: stop.signal })[Symbol.asyncIterator]();
    });
    const publish = (topic: string) => events.client.publish({ topic, event }, { metadata });
    await within(
      "all subscribers hear",
      untilHeard(streams, () => publish("/open")),
      60_000,
    );
    // From here on the first one is left alone.
    const others = streams.slice(1);
    const readers = others.slice(0, readerCount);
    const flood = { $typeName: "google.protobuf.Any", typeUrl: "no.Such", value: new Uint8Array(400_000) } as const;
    for (let n = 0; n < 80; n++) {
      events.exchange.publish("default", "/flood", flood);
      await within("the readers get it", Promise.all(readers.map((stream) => readUntil(stream, "/flood"))));
    }
    assert.equal(events.exchange.subscribers, count - 1);
    await publish("/done");
    await within("all others get the last", Promise.all(others.map((stream) => readUntil(stream, "/done"))), 60_000);
    stop.abort(new Error("done"));
  });
});

async function readUntil(stream: AsyncIterator<{ topic: string }>, topic: string): Promise<void> {
  for (;;) {
    const next = await stream.next();
    if (next.done === true || next.value.topic === topic) return;
  }
}
