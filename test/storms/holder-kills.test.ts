import assert from "node:assert/strict";
import { test } from "node:test";
import { scaled, within } from "../harness/deadline.ts";
import { echoFleet } from "../harness/echo-fleet.ts";
import { assertNothingLeft } from "../harness/leftovers.ts";
import { skipWithout } from "../harness/peers.ts";
import { stormHolder } from "../harness/storms/holder-storm.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

test("the holder is killed again and again: the next daemon takes over all, no call fails, nobody reconnects", {
  skip: skipWithout({ peers: ["go-echo"] }),
}, async () => {
  await using folder = await makeTempFolder("o");
  const config = await echoFleet(folder, 3);
  const options = { folder, config, deaths: scaled(5), connections: 8, callsPerSecond: 200, calmCalls: 20 };
  const report = await stormHolder(options);
  assert.deepEqual(report.failures, []);
  assert.equal(report.reconnects, 0);
  assert.deepEqual(report.moved, []);
  await within("all have ended", assertNothingLeft(folder.path));
});
