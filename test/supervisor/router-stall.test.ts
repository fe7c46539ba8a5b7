import assert from "node:assert/strict";
import { test } from "node:test";
import { frameTypes } from "#proto/http2/constants.ts";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { within } from "../harness/deadline.ts";
import { partPid } from "../harness/parts.ts";
import { RawPeer, request } from "./router/harness/raw-peer.ts";

/** Ten times what it is to take, for a busy machine. */
const foundMs = 10_000;
const version = "/containerd.services.version.v1.Version/Version";

test("a router that is stopped is found within a second and replaced, and who calls meanwhile is answered", async (t) => {
  await using daemon = await startBulkhead({ args: ["-l", "debug"] });
  const old = await partPid(daemon, "router", 1);
  const stoppedAt = performance.now();
  process.kill(old, "SIGSTOP");
  // It lies in the backlog, which outlives the router.
  const early = await RawPeer.client(daemon.address);
  await within("the holder finds it", daemon.child.output.waitFor(/part stalled.*part=router/), foundMs);
  t.diagnostic(`found after ${Math.round(performance.now() - stoppedAt)} ms`);
  const next = await within("the next router", partPid(daemon, "router", 2), foundMs);
  assert.notEqual(next, old);
  const client = await RawPeer.client(daemon.address);
  for (const peer of [early, client]) {
    peer.headers(1, request(version), false);
    peer.data(1, Buffer.alloc(5), true);
    const { headers } = await peer.next(frameTypes.headers, 1);
    assert.equal(headers[":status"], "200");
    peer.close();
  }
  assert.throws(() => process.kill(old, 0), { code: "ESRCH" });
});
