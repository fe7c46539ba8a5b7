import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { JsonValue } from "@bufbuild/protobuf";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { describe, playCase, readRecording, type Outcome } from "../metadata/recorded/play.ts";
import { startSnapshotter } from "./snapshotter.ts";

const recordings = join(import.meta.dirname, "recorded");

/** Where ours answers otherwise than containerd's own native snapshotter: what it says, and what we do. */
const ofNative = new Map<string, Outcome>([
  [
    "lstat <root>/snapshots/4: no such file or directory",
    failure("failed-precondition", 'failed to commit snapshot: snapshot "v1" is not active: failed precondition'),
  ],
  ["snapshotter does not implement Cleanup method: not implemented", { answers: [{}] }],
]);

function failure(kind: string, message: string): Outcome {
  return { answers: [], error: { kind, message } };
}

for (const name of ["overlayfs", "overlayfs-label", "native"] as const) {
  test(`${name} answers as containerd 1.6.20's bare snapshotter was recorded to`, {
    skip: skipWithout({ root: true }),
  }, async (t) => {
    await using folder = await makeTempFolder("rec");
    await using snapshotter = await startSnapshotter(name, folder.path);
    for (const recorded of readRecording(name, recordings)) {
      await t.test(describe(recorded), async () => {
        const { outcome } = await playCase(snapshotter.channel, recorded);
        const shown = JSON.parse(JSON.stringify(outcome).replaceAll(folder.path, "<root>")) as JsonValue;
        const exception = name === "native" ? ofNative.get(recorded.outcome.error?.message ?? "") : undefined;
        assert.deepEqual(shown, exception ?? recorded.outcome);
      });
    }
  });
}
