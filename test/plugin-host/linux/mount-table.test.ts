import assert from "node:assert/strict";
import { test } from "node:test";
import { findMount, nearestMount, parseMounts } from "#linux";

const table = [
  "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard",
  "30 22 0:25 / /srv\\040data rw,relatime shared:5 master:1 - btrfs /dev/loop\\0403 rw,subvolid=5",
  "31 22 0:26 / /srv rw - tmpfs tmpfs rw",
  "32 22 0:27 / /srv rw - xfs /dev/vdb rw",
  "",
].join("\n");

test("a path is on the mount nearest above it, the last of those on one point", () => {
  const mounts = parseMounts(table);
  assert.deepEqual(nearestMount(mounts, "/srv data/a"), {
    mountPoint: "/srv data",
    type: "btrfs",
    source: "/dev/loop 3",
  });
  for (const [path, type] of [
    ["/", "ext4"],
    ["/srvx", "ext4"],
    ["/srv", "xfs"],
    ["/srv/a/b", "xfs"],
    ["/srv data", "btrfs"],
  ] as const) {
    assert.equal(nearestMount(mounts, path)?.type, type, path);
  }
  assert.equal(nearestMount([], "/"), undefined);
});

test("this machine's own table can be asked", () => {
  assert.equal(findMount("/proc/self").type, "proc");
  assert.throws(() => findMount("/nowhere/at/all"), { code: "ENOENT" });
});
