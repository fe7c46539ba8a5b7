import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTempFolder } from "../../../harness/temp-folder.ts";
import { startMetadata } from "../metadata-server.ts";
import { describe, playCase, readRecording } from "./play.ts";

test("namespaces, images, containers and leases answer as containerd 1.6.20 was recorded to", async (t) => {
  await using folder = await makeTempFolder("md");
  await using metadata = await startMetadata(folder.path);
  for (const recorded of readRecording("objects")) {
    await t.test(describe(recorded), async () => {
      const { outcome } = await playCase(metadata.channel, recorded);
      assert.deepEqual(outcome, recorded.outcome);
    });
  }
});
