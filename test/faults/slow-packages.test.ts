import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { test } from "node:test";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { statusOf, waitForState } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const logLimitBytes = 16 * 1024 * 1024;

test("a package that hangs in its start delays the boot by boot.wait and no more", async () => {
  await using folder = await makeTempFolder("h");
  const packages = await packageFolder(folder, { broken: ["hangs-in-start"] });
  const started = performance.now();
  await using daemon = await startBulkhead({ folder, config: `${packages}boot: { wait: 2s }\n` });
  const took = performance.now() - started;
  assert.ok(took >= 1900 && took < 10_000, `booted after ${took} ms`);
  assert.equal((await statusOf(daemon, "hangs-in-start")).state, "starting");
  using channel = connect(daemon.address);
  await clientOf(Version, channel).version({});
});

test("a package that ignores SIGTERM is killed after its grace period, and the stop is clean", async () => {
  await using folder = await makeTempFolder("h");
  const packages = await packageFolder(folder, { broken: ["ignores-sigterm"] });
  await using daemon = await startBulkhead({ folder, config: `${packages}boot: { wait: 500ms }\n` });
  const started = performance.now();
  await daemon.stop();
  assert.ok(performance.now() - started < 8000);
});

test("a package that floods stderr neither blocks nor fills the disk", async () => {
  await using folder = await makeTempFolder("h");
  const packages = await packageFolder(folder, { broken: ["floods-stderr"] });
  await using daemon = await startBulkhead({
    folder,
    config: `${packages}boot: { wait: 500ms }\n`,
    args: ["-l", "debug"],
  });
  await waitForState(daemon, "floods-stderr", "starting");
  using channel = connect(daemon.address);
  const file = `${daemon.state}/log/floods-stderr.1`;
  let largest = 0;
  // Each call takes a moment in which the flood goes on.
  for (let round = 0; round < 2000; round++) {
    await clientOf(Version, channel).version({}, { deadlineMs: Date.now() + 5000 });
    if (round % 100 === 0) largest = Math.max(largest, (await stat(file)).size);
  }
  // The file may pass its limit for as long as control needs to see it.
  assert.ok(largest < 20 * logLimitBytes, `${largest} bytes`);
});
