import assert from "node:assert/strict";
import { test } from "node:test";
import { findHierarchies } from "../../../../supervisor/process/cgroup/hierarchies.ts";

test("a machine with v2 alone has one hierarchy", () => {
  const mountinfo = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
  assert.deepEqual(findHierarchies(mountinfo, "0::/system.slice/bulkhead.service\n"), [
    {
      version: 2,
      controllers: [],
      mountPoint: "/sys/fs/cgroup",
      ownFolder: "/sys/fs/cgroup/system.slice/bulkhead.service",
    },
  ]);
});

test("a mixed machine has its v1 controllers, each with the place this process has there", () => {
  const mountinfo = [
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd",
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
    "42 1 8:1 / /home rw - ext4 /dev/sda1 rw",
  ].join("\n");
  const own = "9:name=systemd:/\n4:memory:/jobs/7\n2:cpu,cpuacct:/\n0::/\n";
  const found = findHierarchies(mountinfo, own);
  assert.deepEqual(
    found.map(({ version, controllers, ownFolder }) => [version, controllers.join(), ownFolder]),
    [
      [1, "cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/"],
      [1, "memory", "/sys/fs/cgroup/memory/jobs/7"],
      [1, "name=systemd", "/sys/fs/cgroup/systemd/"],
      [2, "", "/sys/fs/cgroup/unified/"],
    ],
  );
});

test("a part of a hierarchy that is mounted is counted from its root, and one that we are not in is left out", () => {
  const own = "4:memory:/docker/ab/x\n3:pids:/docker/ab\n2:cpu:/../other\n0::/\n";
  const mount = (controller: string, root: string) =>
    `35 31 0:32 ${root} /sys/fs/cgroup/${controller} rw - cgroup cgroup rw,${controller}`;
  const mountinfo = [mount("memory", "/docker/ab"), mount("pids", "/docker/cd"), mount("cpu", "/")].join("\n");
  assert.deepEqual(
    findHierarchies(mountinfo, own).map(({ ownFolder }) => ownFolder),
    ["/sys/fs/cgroup/memory/x"],
  );
});

test("a hierarchy that is mounted twice counts once, and spaces in its path are understood", () => {
  const line = (place: string) => `35 31 0:32 / ${place} rw - cgroup2 none rw`;
  const found = findHierarchies(`${line("/my\\040groups")}\n${line("/again")}\n`, "0::/\n");
  assert.deepEqual(
    found.map(({ mountPoint }) => mountPoint),
    ["/my groups"],
  );
});

test("a machine without cgroups has none", () => {
  assert.deepEqual(findHierarchies("", ""), []);
});
