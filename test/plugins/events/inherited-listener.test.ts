import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { clientOf, connect, type Channel } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../../harness/bulkhead-daemon.ts";
import { within } from "../../harness/deadline.ts";
import { statusOf } from "../../harness/plugin-status.ts";
import { exchangeFrames, forward, frame } from "./ttrpc-client.ts";

/** The daemon's ttrpc socket, whose listener the events package inherits. */

let daemon: BulkheadDaemon;
let channel: Channel;

before(async () => {
  daemon = await startBulkhead();
  channel = connect(daemon.address);
});

after(async () => {
  channel[Symbol.dispose]();
  await daemon[Symbol.asyncDispose]();
});

const ttrpc = () => `${daemon.address}.ttrpc`;

/** Forwards as a shim does, the same event under its own number again, until a subscriber hears of one. */
async function forwardUntilHeard(topic: string): Promise<string> {
  const stop = new AbortController();
  const heard = clientOf(Events, channel).subscribe({ filters: [`topic=="${topic}"`] }, { signal: stop.signal });
  const first = heard[Symbol.asyncIterator]().next();
  let over = false;
  const done = first.then(({ done: ended, value }) => {
    over = true;
    return ended === true ? "" : value.namespace;
  });
  while (!over) {
    assert.deepEqual(await exchangeFrames(ttrpc(), [frame(1, forward({ topic }))], 1), [[1, 0, ""]]);
  }
  stop.abort();
  return within("the event", done);
}

test("what a shim forwards over ttrpc reaches subscribers of the main socket", async () => {
  assert.equal(await forwardUntilHeard("/tasks/exit"), "ns");
});

test("a shim that connects while the events package is dead is answered by its next generation", async () => {
  const { pid } = await statusOf(daemon, "events");
  process.kill(Number(pid), "SIGKILL");
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => exchangeFrames(ttrpc(), [frame(1, forward({ topic: "/tasks/start" }))], 1)),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 20 }, () => [[1, 0, ""]]),
  );
  assert.notEqual((await statusOf(daemon, "events")).pid, pid);
  assert.equal(await forwardUntilHeard("/tasks/oom"), "ns");
});
