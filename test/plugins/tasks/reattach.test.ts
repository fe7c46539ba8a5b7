import assert from "node:assert/strict";
import { test } from "node:test";
import { reattachMs, runSleepers } from "../../../scripts/bench/reattach.ts";
import { skipWithout } from "../../harness/peers.ts";
import { runtimePeers } from "../../harness/runtime.ts";
import { ContainerHost } from "./container-host.ts";

const containers = 10;
/** Ten times what the benchmark allows for a hundred. */
const limitMs = 5000;

test("every running container is listed again soon after tasks was killed", {
  skip: skipWithout({ peers: [...runtimePeers], root: true }),
  timeout: 120_000,
}, async () => {
  await using host = await ContainerHost.start();
  await runSleepers(host, containers);
  const tookMs = await reattachMs(host, containers);
  assert.ok(tookMs < limitMs, `it took ${Math.round(tookMs)} ms`);
});
