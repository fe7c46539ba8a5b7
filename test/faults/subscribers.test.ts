import assert from "node:assert/strict";
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Events, SubscribeRequestSchema } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { clientOf, connect, type Client } from "#rpc";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { scaled, within } from "../harness/deadline.ts";
import { listPlugins } from "../harness/plugin-status.ts";

const streamsWanted = 10_000;
/** As Go's clients do, a connection carries many streams. */
const streamsPerConnection = 1000;
const openMs = 120_000;
/** Of 8 KiB each. */
const unreadEvents = 20_000;
const residentLimitMiB = 400;
const scope = { metadata: { "containerd-namespace": "many" } };

/** Subscribes on a raw session; the stream is paused, so nothing is read from it until asked. */
function subscribe(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": "/containerd.services.events.v1.Events/Subscribe",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const body = toBinary(SubscribeRequestSchema, create(SubscribeRequestSchema, {}));
  stream.end(Buffer.concat([Buffer.alloc(5), body]));
  stream.on("error", () => undefined);
  return stream;
}

/** A connection of its own. */
async function openSession(address: string): Promise<ClientHttp2Session> {
  const session = connectHttp2("http://localhost", { createConnection: () => connectSocket(address) });
  session.on("error", () => undefined);
  await within("a connection", once(session, "connect"));
  return session;
}

async function residentMiB(pid: bigint): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

test("ten thousand open Subscribe streams, one of which never reads, stop nobody", { timeout: 300_000 }, async () => {
  await using daemon = await startBulkhead();
  const before = await listPlugins(daemon);
  const count = Math.min(streamsWanted, scaled(streamsWanted));
  const sessions = [await openSession(daemon.address)];
  using channel = connect(daemon.address);
  const events = clientOf(Events, channel);
  try {
    const deaf = subscribe(sessions[0] as ClientHttp2Session);
    const streams: ClientHttp2Stream[] = [];
    while (streams.length < count - 1) {
      const session = await openSession(daemon.address);
      sessions.push(session);
      const more = Math.min(streamsPerConnection, count - 1 - streams.length);
      for (let index = 0; index < more; index++) streams.push(subscribe(session));
    }
    await publishUntil(events, Promise.all(streams.map((stream) => once(stream, "data"))));
    // Far more than any window or queue holds: what nobody reads must not pile up.
    for (const session of sessions.slice(1)) session.destroy();
    const bytes = Buffer.alloc(8192);
    for (let index = 0; index < unreadEvents; index++) {
      await events.publish({ topic: "/many/unread", event: { typeUrl: "x.Y", value: bytes } }, scope);
    }
    assert.notEqual(deaf.readableFlowing, true);
    const after = await listPlugins(daemon);
    assert.deepEqual(
      after.map(({ pid, state }) => [pid, state]),
      before.map(({ pid, state }) => [pid, state]),
    );
    // A skipped package has no process.
    const pids = new Set(after.map(({ pid }) => pid).filter((pid) => pid > 0n));
    for (const pid of pids) {
      const resident = await residentMiB(pid);
      assert.ok(resident < residentLimitMiB, `process ${pid} holds ${resident} MiB`);
    }
    // A subscriber that reads still gets what comes.
    const stop = new AbortController();
    const reading = events.subscribe({ filters: ['topic=="/many/one"'] }, { signal: stop.signal });
    const first = reading[Symbol.asyncIterator]().next();
    await publishUntil(events, first);
    stop.abort();
  } finally {
    for (const session of sessions) session.destroy();
  }
});

/** Publishes one event after the other until `seen`. */
async function publishUntil(events: Client<typeof Events>, seen: Promise<unknown>): Promise<void> {
  let done = false;
  const finished = seen.then(() => {
    done = true;
  });
  const publishing = (async () => {
    while (!done)
      await events.publish({ topic: "/many/one", event: { typeUrl: "x.Y", value: Buffer.alloc(1024) } }, scope);
  })();
  await within("the event on each stream", Promise.race([finished, publishing]), openMs);
  await publishing;
}
