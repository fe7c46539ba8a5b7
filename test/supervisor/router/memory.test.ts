import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { Child } from "../../harness/child.ts";
import { scaled } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { answeredPath } from "./harness/attacks.ts";
import { CallTimes } from "./harness/call-times.ts";
import { row, RouterProcess } from "./harness/router-process.ts";

/** A tenth of what is claimed: BULKHEAD_TEST_SCALE=10 makes all of them. */
const calls = scaled(100_000);
const connections = scaled(10_000);
const callsAtOnce = 64;
const connectionsAtOnce = 16;
const mebibyte = 2 ** 20;
/** What a run may leave behind after a collection: compiled code and grown tables, however many calls there were. */
const mostLeft = { heapUsed: mebibyte / 2, external: mebibyte / 2, rss: 8 * mebibyte };

interface Memory {
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
}

const probe = new URL("harness/memory-probe.ts", import.meta.url).pathname;
const program = new URL("harness/attacked-package.ts", import.meta.url).pathname;

test("memory is flat over calls and connections", async (context) => {
  await using folder = await makeTempFolder("memory");
  await using router = await RouterProcess.start({
    nodeFlags: ["--expose-gc", "--import", probe],
    env: { BULKHEAD_TEST_PROBE: folder.join("probe.sock") },
  });
  await using answering = new Child(process.execPath, [program, router.socketPath("answering")]);
  await answering.output.waitFor(/serving/);
  await router.apply({
    packages: { answering: row(router.socketPath("answering")) },
    routes: { "test.v1.Attacked": "answering" },
  });
  const look = async (): Promise<Memory> => JSON.parse(await text(connect(folder.join("probe.sock")))) as Memory;
  const compare = (what: string, before: Memory, now: Memory): void => {
    for (const kind of ["heapUsed", "external", "rss"] as const) {
      const grown = now[kind] - before[kind];
      context.diagnostic(
        `${what}: ${kind} ${(now[kind] / mebibyte).toFixed(1)} MiB, ${(grown / 1024).toFixed(0)} KiB more`,
      );
      assert.ok(grown < mostLeft[kind], `${what} left ${grown} bytes of ${kind}`);
    }
  };

  await makeCalls(router.mainSocket, calls / 4);
  await makeConnections(router.mainSocket, connections / 4);
  const before = await look();
  await makeCalls(router.mainSocket, calls);
  const between = await look();
  compare(`${calls} calls`, before, between);
  await makeConnections(router.mainSocket, connections);
  compare(`${connections} connections`, between, await look());
  const { openCalls, connections: open } = await router.counters();
  assert.deepEqual([openCalls, open], [0, 0]);
});

/** Makes that many calls on one connection each of `callsAtOnce`. */
async function makeCalls(socket: string, count: number): Promise<void> {
  const lane = async (): Promise<void> => {
    using client = await CallTimes.connect(socket, answeredPath);
    await client.measure(Math.ceil(count / callsAtOnce), () => 0);
  };
  await Promise.all(Array.from({ length: callsAtOnce }, lane));
}

/** Makes that many connections with a call on each. */
async function makeConnections(socket: string, count: number): Promise<void> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      using client = await CallTimes.connect(socket, answeredPath);
      await client.measure(1, () => 0);
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: connectionsAtOnce }, lane));
}
