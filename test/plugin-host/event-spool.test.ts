import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { connect, implement, serve, type Server, type Service } from "#rpc";
import { Relay } from "#proto/gen/bulkhead/events/v1/events_pb.ts";
import { NamespaceCreateSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { EnvelopeSchema } from "#proto/gen/containerd/types/types_pb.ts";
import type { Peer, Peers } from "../../plugin-host/define-plugin.ts";
import { EventSpool } from "../../plugin-host/event-spool.ts";
import { within } from "../harness/deadline.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };

/** Peers with an events package at `address`, which serves `services`. */
function eventsPeer(address: string, services: readonly string[]) {
  const channel = connect(address, { waitForReady: true });
  const peer: Peer = {
    type: "io.containerd.event.v1",
    id: "exchange",
    package: "events",
    address,
    serves: services,
    capabilities: [],
    exports: {},
    state: "ready",
    generation: 1n,
  };
  const peers = { find: () => [peer], channel: () => channel } as unknown as Peers;
  return { peers, [Symbol.dispose]: () => channel[Symbol.dispose]() };
}

async function listen(socket: string, service: Service): Promise<Server> {
  const server = serve({ services: [service] });
  await server.listen(socket);
  return server;
}

function publishAll(spool: EventSpool, topics: readonly string[]): Promise<unknown> {
  return Promise.all(topics.map((topic) => spool.publish("n", topic, NamespaceCreateSchema, { name: "n" })));
}

/** Takes events as our package does; `calls` holds the topics of each call, `onCall` hears of each. */
function relay(calls: string[][], onCall: () => void = () => {}): Service {
  return implement(Relay, {
    forwardAll: ({ envelopes }) => {
      calls.push(envelopes.map((bytes) => fromBinary(EnvelopeSchema, bytes).topic));
      onCall();
      return {};
    },
  });
}

const topics = Array.from({ length: 300 }, (_, number) => `/t/${number}`);

test("events of one turn go out in one call, in order, and publishing resolves when they are taken", async () => {
  await using folder = await makeTempFolder("sp");
  const calls: string[][] = [];
  await using _server = await listen(folder.join("s"), relay(calls));
  using events = eventsPeer(folder.join("s"), [Relay.typeName]);
  await using spool = new EventSpool(events.peers, log);
  await within("the events", publishAll(spool, topics));
  assert.deepEqual(calls.flat(), topics);
  assert.deepEqual(
    calls.map(({ length }) => length),
    [256, 44],
  );
});

test("an events package of somebody else gets them one by one by containerd's Forward", async () => {
  await using folder = await makeTempFolder("sp");
  const seen: string[] = [];
  const service = implement(Events, {
    forward: ({ envelope }, { metadata }) => {
      seen.push(`${metadata["containerd-namespace"]} ${envelope?.topic}`);
      return {};
    },
  });
  await using _server = await listen(folder.join("s"), service);
  using events = eventsPeer(folder.join("s"), [Events.typeName]);
  await using spool = new EventSpool(events.peers, log);
  await within("the events", publishAll(spool, topics.slice(0, 5)));
  assert.deepEqual(
    seen,
    topics.slice(0, 5).map((topic) => `n ${topic}`),
  );
});

test("while the events package is away publishing answers at once, and its successor gets all, in order", async () => {
  await using folder = await makeTempFolder("sp");
  const calls: string[][] = [];
  using events = eventsPeer(folder.join("s"), [Relay.typeName]);
  await using spool = new EventSpool(events.peers, log);
  {
    await using _first = await listen(folder.join("s"), relay(calls));
    await within("the first", publishAll(spool, topics.slice(0, 3)));
  }
  await within("nobody is there, and nobody waits", publishAll(spool, topics.slice(3, 6)));
  await within("nor later", publishAll(spool, topics.slice(6, 9)));
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const onCall = (): void => {
    if (calls.flat().length >= 9) resolve();
  };
  await using _second = await listen(folder.join("s"), relay(calls, onCall));
  await within("what waited", all);
  assert.deepEqual(calls.flat(), topics.slice(0, 9));
});
