import assert from "node:assert/strict";
import { test } from "node:test";
import { runChaos } from "../harness/chaos/chaos.ts";
import { failuresOf, reportLines } from "../harness/chaos/report.ts";
import { scaled } from "../harness/deadline.ts";
import { skipWithout } from "../harness/peers.ts";

test("chance strikes for a minute: everything is ready again, and nothing is left behind", {
  skip: skipWithout({ peers: ["containerd", "runc", "busybox", "go-echo", "go-greeter", "python-sums"], root: true }),
}, async (t) => {
  const report = await runChaos({ seed: Math.floor(Math.random() * 2 ** 31), minutes: scaled(60) / 60 });
  for (const line of reportLines(report)) t.diagnostic(line);
  assert.deepEqual(failuresOf(report), [], `npm run chaos -- --seed ${report.seed}`);
});
