import assert from "node:assert/strict";
import { test } from "node:test";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { scaled } from "../harness/deadline.ts";
import { startEchoDaemon } from "../harness/echo-daemon.ts";
import { quantile, stormPackage, type StormReport } from "../harness/storms/package-storm.ts";
import { stormTypescript } from "../harness/storms/typescript-storm.ts";
import { skipWithout } from "../harness/peers.ts";

const skip = skipWithout({ peers: ["go-echo"] });
const kills = scaled(300);
/** Few enough that those who wait stay below the parking limit even on a machine that is busy for seconds. */
const callsPerSecond = 200;
/** Ten times what `npm run storm` holds itself to: against hangs, on a machine that runs other tests beside this. */
const recoveryMs = 300;
const typescriptRecoveryMs = 1500;
const failureMs = 100;

async function storm(repeats: boolean): Promise<StormReport> {
  await using daemon = await startEchoDaemon({ repeats });
  const options = { address: daemon.address, kills, connections: 8, callsPerSecond, warmCalls: 20, calmCalls: 10 };
  try {
    return await stormPackage(options);
  } catch (cause) {
    throw new Error(`${String(cause)}; the daemon said:\n${daemon.child.output.text.slice(-4000)}`, { cause });
  }
}

test("kills of a package fail the calls that it had in its hands, once and at once, and no others", {
  skip,
}, async () => {
  const { outcomes, strays } = await storm(false);
  assert.deepEqual(strays, []);
  assert.equal(outcomes.length, kills);
  const failed = outcomes.flatMap((outcome) => outcome.failed);
  for (const call of failed) {
    assert.ok(call.begunMs < failureMs && call.endedMs < failureMs, JSON.stringify(call));
    assert.match(call.failure, /package go-echo went away during the call/);
  }
  const recoveries = outcomes.map((outcome) => outcome.recoveryMs);
  assert.ok(quantile(recoveries, 0.5) <= recoveryMs, `half of the recoveries took ${quantile(recoveries, 0.5)} ms`);
});

test("calls that may be repeated never fail, however often their package is killed", { skip }, async () => {
  const { outcomes, strays } = await storm(true);
  assert.deepEqual(strays, []);
  assert.deepEqual(
    outcomes.flatMap((outcome) => outcome.failed),
    [],
  );
});

test("a TypeScript package that is killed answers again soon", async () => {
  await using daemon = await startBulkhead({ config: "packages: { events: { restart: { intensity: 0 } } }\n" });
  const recoveries = await stormTypescript(daemon, scaled(10));
  assert.ok(quantile(recoveries, 0.5) <= typescriptRecoveryMs, `recoveries took ${recoveries.join(", ")} ms`);
});
