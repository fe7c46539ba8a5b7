import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { writeImages } from "../harness/chaos/images.ts";
import { ctr } from "../harness/ctr.ts";
import { walkImages } from "../harness/images/walk.ts";
import { skipWithout } from "../harness/peers.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

test("the walk that other tests end with finds what is lost, damaged and nobody's", {
  skip: skipWithout({ peers: ["containerd"], root: true }),
}, async () => {
  await using work = await makeTempFolder("iw");
  const [loaded] = await writeImages(work);
  await using daemon = await startBulkhead();
  const { code, stderr } = await ctr(daemon.address, ["image", "import", loaded?.archive ?? ""]);
  assert.equal(code, 0, stderr);
  await daemon.stop();
  assert.deepEqual(await walkImages(daemon.root), []);

  const blobs = join(daemon.root, "io.containerd.content.v1.content/blobs/sha256");
  const [lost = "", damaged = ""] = await readdir(blobs);
  await rm(join(blobs, lost));
  await rm(join(blobs, damaged));
  await writeFile(join(blobs, damaged), "other bytes");
  const snapshots = join(daemon.root, "io.containerd.snapshotter.v1.overlayfs/snapshots");
  await rm(join(snapshots, "1"), { recursive: true });
  await mkdir(join(snapshots, "999"));
  const found = await walkImages(daemon.root);
  for (const expected of [
    `blob sha256:${lost} has no file`,
    `blob sha256:${damaged} has other bytes`,
    "overlayfs: the folder snapshots/999 is nobody's",
  ]) {
    assert.ok(found.includes(expected), `${expected}: ${found.join("; ")}`);
  }
  assert.equal(found.filter((each) => each.endsWith(" has no folder")).length, 1);
  assert.equal(found.length, 4);
});
