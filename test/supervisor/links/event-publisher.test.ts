import assert from "node:assert/strict";
import { test } from "node:test";
import { PackageStateSchema } from "#proto/gen/bulkhead/events/v1/plugin_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import type { Envelope } from "#proto/gen/containerd/types/types_pb.ts";
import { unpackAny } from "#proto/wire/any.ts";
import { HostError } from "#proto/wire/errors.ts";
import { implement } from "#rpc";
import { EventPublisher } from "../../../supervisor/links/event-publisher.ts";
import type { PackageEvent } from "../../../supervisor/links/package-event.ts";
import { within } from "../../harness/deadline.ts";
import { serveService } from "../../plugins/serve-service.ts";

function stateEvent(generation: number): PackageEvent {
  const fields = {
    package: "acme",
    generation,
    from: "starting",
    to: "ready",
    reason: "",
    pid: 1,
    restarts: 0,
  } as const;
  return { type: "state", atMs: 1_700_000_000_000 + generation, fields: { ...fields, nextAttemptMs: undefined } };
}

/** An events package that takes what it is sent, unless `refusing`. */
async function takingEvents(count: number) {
  const taken: Envelope[] = [];
  const all = Promise.withResolvers<void>();
  const state = { refusing: false, refused: 0 };
  const service = implement(Events, {
    forward: ({ envelope }) => {
      if (state.refusing) {
        state.refused++;
        throw new HostError("unavailable", "not now");
      }
      if (envelope !== undefined) taken.push(envelope);
      if (taken.length >= count) all.resolve();
      return {};
    },
  });
  const served = await serveService(service);
  return { ...served, taken, all: all.promise, state };
}

function generations(taken: readonly Envelope[]): number[] {
  return taken.map(({ event }) => Number((event && unpackAny(PackageStateSchema, event))?.generation));
}

test("events wait until the publisher is open, then go in order with the time they happened at", async () => {
  await using events = await takingEvents(3);
  using publisher = new EventPublisher({ connect: () => Promise.resolve(events.channel), onDropped: () => {} });
  for (const generation of [1, 2]) publisher.publish(stateEvent(generation));
  publisher.open();
  publisher.publish(stateEvent(3));
  await within("all events", events.all);
  assert.deepEqual(generations(events.taken), [1, 2, 3]);
  const [first] = events.taken;
  assert.deepEqual(
    [first?.topic, first?.namespace, first?.timestamp?.nanos],
    ["/bulkhead/plugin/state", "bulkhead", 1_000_000],
  );
});

test("events wait while the package is away or refuses, and none comes twice or out of order", async () => {
  await using events = await takingEvents(3);
  let ready = false;
  using publisher = new EventPublisher({
    connect: () => (ready ? Promise.resolve(events.channel) : undefined),
    onDropped: () => {},
  });
  publisher.open();
  publisher.publish(stateEvent(1));
  events.state.refusing = true;
  ready = true;
  publisher.publish(stateEvent(2));
  for (const end = performance.now() + 5000; events.state.refused === 0; ) {
    assert.ok(performance.now() < end, "it was never asked");
    await new Promise((resolve) => setImmediate(resolve));
  }
  events.state.refusing = false;
  publisher.publish(stateEvent(3));
  await within("all events", events.all);
  assert.deepEqual(generations(events.taken), [1, 2, 3]);
});

test("only so many events wait: the oldest are dropped, and that is told", async () => {
  await using events = await takingEvents(1000);
  const dropped = Promise.withResolvers<number>();
  using publisher = new EventPublisher({ connect: () => Promise.resolve(events.channel), onDropped: dropped.resolve });
  for (let generation = 1; generation <= 1007; generation++) publisher.publish(stateEvent(generation));
  publisher.open();
  await within("all events", events.all);
  assert.equal(await dropped.promise, 7);
  assert.deepEqual([generations(events.taken)[0], events.taken.length], [8, 1000]);
});
