import assert from "node:assert/strict";
import { test } from "node:test";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { scaled } from "../harness/deadline.ts";
import { echoFleet } from "../harness/echo-fleet.ts";
import { skipWithout } from "../harness/peers.ts";
import { quantile } from "../harness/storms/package-storm.ts";
import { stormRouter } from "../harness/storms/router-storm.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

// The times are ten times those that `npm run storm -- router` holds itself to: against hangs.
for (const { victims, withControl, deaths, freshMs } of [
  { victims: "the router is", withControl: false, deaths: 10, freshMs: 1000 },
  { victims: "router and control are", withControl: true, deaths: 5, freshMs: 3000 },
]) {
  test(`${victims} killed again and again: no connect is turned down, and only calls under way fail`, {
    skip: skipWithout({ peers: ["go-echo"] }),
  }, async () => {
    await using folder = await makeTempFolder("a");
    const config = await echoFleet(folder, 3);
    await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
    const options = {
      deaths: scaled(deaths),
      connections: 8,
      callsPerSecond: 200,
      warmCalls: 20,
      calmCalls: 20,
      withControl,
    };
    const report = await stormRouter(daemon, options);
    assert.deepEqual(report.refused, []);
    assert.deepEqual(report.freshFailures, []);
    assert.ok(quantile(report.freshMs, 0.5) <= freshMs, `fresh calls took ${report.freshMs.join(", ")} ms`);
    for (const call of report.failed) {
      assert.ok(call.begunMs < 500 && call.endedMs < 1000, JSON.stringify(call));
      assert.match(call.failure, /connection was closed|ECONNRESET|EPIPE/);
    }
  });
}
