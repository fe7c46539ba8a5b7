import assert from "node:assert/strict";
import { chownSync, rmSync, statSync } from "node:fs";
import { test } from "node:test";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { startSnapshotter } from "../shared/snapshotter.ts";

test("what a power cut took of an empty snapshot is made again", { skip: skipWithout({ root: true }) }, async () => {
  await using folder = await makeTempFolder("ov");
  {
    await using snapshotter = await startSnapshotter("overlayfs", folder.path);
    await snapshotter.client.prepare({ key: "a" });
    await snapshotter.client.commit({ key: "a", name: "base" });
    await snapshotter.client.prepare({ key: "b", parent: "base" });
    await snapshotter.client.view({ key: "v", parent: "base" });
  }
  chownSync(folder.join("snapshots/1/fs"), 7, 8);
  rmSync(folder.join("snapshots/2"), { recursive: true });
  rmSync(folder.join("snapshots/3/fs"), { recursive: true });
  await using snapshotter = await startSnapshotter("overlayfs", folder.path);
  const { mounts } = await snapshotter.client.mounts({ key: "b" });
  assert.ok(mounts[0]?.options.includes(`upperdir=${folder.join("snapshots/2/fs")}`));
  const { uid, gid, mode } = statSync(folder.join("snapshots/2/fs"));
  assert.deepEqual([uid, gid, mode & 0o777], [7, 8, 0o755]);
  assert.ok(statSync(folder.join("snapshots/2/work")).isDirectory());
  assert.ok(statSync(folder.join("snapshots/3/fs")).isDirectory());
});
