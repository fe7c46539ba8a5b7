import assert from "node:assert/strict";
import { test } from "node:test";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { scaled } from "../harness/deadline.ts";
import { echoFleet } from "../harness/echo-fleet.ts";
import { skipWithout } from "../harness/peers.ts";
import { quantile } from "../harness/storms/package-storm.ts";
import { stormControl } from "../harness/storms/control-storm.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

/** Ten times what `npm run storm -- control` holds itself to: against hangs. */
const adoptionMs = 3000;

test("control is killed again and again under load: no call fails, every package keeps its pid", {
  skip: skipWithout({ peers: ["go-echo"] }),
}, async () => {
  await using folder = await makeTempFolder("a");
  const config = await echoFleet(folder, 10);
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const options = { deaths: scaled(15), connections: 8, callsPerSecond: 200, warmCalls: 20, calmCalls: 20 };
  const report = await stormControl(daemon, options);
  assert.deepEqual(report.failures, []);
  assert.deepEqual(report.ownFailures, []);
  assert.deepEqual(report.moved, []);
  assert.equal(report.adoptionMs.length, options.deaths);
  assert.ok(quantile(report.adoptionMs, 0.5) <= adoptionMs, `adoption took ${report.adoptionMs.join(", ")} ms`);
});
