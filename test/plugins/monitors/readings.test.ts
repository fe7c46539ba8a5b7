import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseDevices } from "../../../plugins/shared/cgroups/block-devices.ts";
import { Exposition } from "../../../plugins/monitors/cgroups/exposition.ts";
import { parseGroups, type GroupFolders } from "../../../plugins/shared/cgroups/group-folders.ts";
import { findHierarchies } from "../../../plugins/shared/cgroups/hierarchies.ts";
import type { Reading } from "../../../plugins/monitors/cgroups/reading.ts";
import { v1Readings } from "../../../plugins/monitors/cgroups/v1-readings.ts";
import { v2Readings } from "../../../plugins/monitors/cgroups/v2-readings.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { layOut, samplesOf } from "./recorded-group.ts";

const controllers = ["cpu", "cpuacct", "memory", "pids", "blkio", "hugetlb"];
const box = { container_id: "box", namespace: "ns", runtime: "io.containerd.runc.v2" };

/** Readings of a v1 tree, whose controllers are those that it has. */
function readV1(root: string): Reading[] {
  const there = controllers.filter((name) => existsSync(join(root, name, "g")));
  const devices = parseDevices(readFileSync(join(root, "partitions"), "utf8"));
  const folders: GroupFolders = new Map(there.map((name) => [name, join(root, name, "g")]));
  return v1Readings(folders, (number) => devices.get(number) ?? "");
}

function readV2(root: string): Reading[] {
  return v2Readings(new Map([["", join(root, "g")]]));
}

for (const [name, read] of [
  ["v1", readV1],
  ["v1-old-kernel", readV1],
  ["v2", readV2],
  ["v2-old-kernel", readV2],
] as const) {
  test(`groups recorded as ${name} give the metrics that containerd gives, by name, labels, help and value`, async () => {
    await using folder = await makeTempFolder("cg");
    const recorded = await layOut(name, folder.path);
    const text = new Exposition(1024 * 1024);
    assert.ok(text.add(box, read(folder.path)));
    assert.deepEqual(samplesOf(text.toString()), samplesOf(recorded));
  });
}

test("groups that are gone give nothing", async () => {
  await using folder = await makeTempFolder("cg");
  await layOut("v1", folder.path);
  for (const name of controllers) rmSync(join(folder.path, name), { recursive: true });
  const folders = new Map(controllers.map((name) => [name, join(folder.path, name, "g")]));
  assert.deepEqual(
    v1Readings(folders, () => ""),
    [],
  );
  assert.deepEqual(v2Readings(new Map([["", folder.join("g")]])), []);
});

test("garbage in a group's files counts as nothing", async () => {
  await using folder = await makeTempFolder("cg");
  await layOut("v2", folder.path);
  const garbage = "usage_usec\n\n= = =\nuser_usec 1x\nsystem_usec -5\n";
  for (const file of ["cpu.stat", "memory.stat", "io.stat", "memory.max"]) {
    writeFileSync(folder.join("g", file), garbage);
  }
  const values = readV2(folder.path).map(({ family, value }) => [family.name, value] as const);
  for (const [name, value] of values) assert.ok(Number.isFinite(value) && value >= 0, name);
  assert.equal(new Map(values).get("container_cpu_system_usec_microseconds"), 0);
});

test("text beyond its limit leaves out whole containers", () => {
  const text = new Exposition(200);
  const family = { name: "container_x", help: "x" };
  assert.ok(text.add({ container_id: 'quo"te\\\n' }, [{ family, value: 1 }]));
  assert.equal(
    text.add({ container_id: "y".repeat(100) }, [
      { family, value: 1 },
      { family, value: 2 },
    ]),
    false,
  );
  assert.equal(
    text.toString(),
    '# HELP container_x x\n# TYPE container_x gauge\ncontainer_x{container_id="quo\\"te\\\\\\n"} 1\n',
  );
});

test("mounts tell which hierarchies there are", () => {
  const mount = (mountPoint: string, type: string) => ({ mountPoint, type, source: type });
  const everywhere = () => true;
  const unified = [mount("/", "ext4"), mount("/sys/fs/cgroup", "cgroup2")];
  assert.deepEqual(findHierarchies(unified, everywhere), { version: 2, root: "/sys/fs/cgroup" });
  const mixed = [
    mount("/sys/fs/cgroup", "tmpfs"),
    mount("/sys/fs/cgroup/cpu,cpuacct", "cgroup"),
    mount("/sys/fs/cgroup/memory", "cgroup"),
    mount("/sys/fs/cgroup/unified", "cgroup2"),
  ];
  const found = findHierarchies(mixed, (path) => !path.endsWith("hugetlb"));
  assert.equal(found.version, 1);
  assert.deepEqual(
    found.version === 1 && [...found.folders.keys()],
    controllers.filter((name) => name !== "hugetlb"),
  );
  const none = findHierarchies([mount("/", "ext4")], () => false);
  assert.deepEqual(none, { version: 1, folders: new Map() });
});

test("a process's groups are found by its cgroup file", () => {
  const v1 = {
    version: 1,
    folders: new Map([
      ["cpu", "/c/cpu"],
      ["cpuacct", "/c/cpuacct"],
      ["memory", "/c/memory"],
    ]),
  } as const;
  const text = "4:memory:/ns/box\n2:cpu,cpuacct:/ns/box:odd\n1:name=systemd:/ns/box\n0::/ns/box\n";
  assert.deepEqual(
    parseGroups(v1, text),
    new Map([
      ["memory", "/c/memory/ns/box"],
      ["cpu", "/c/cpu/ns/box:odd"],
      ["cpuacct", "/c/cpuacct/ns/box:odd"],
    ]),
  );
  assert.deepEqual(parseGroups({ version: 2, root: "/c" }, text), new Map([["", "/c/ns/box"]]));
  assert.equal(parseGroups(v1, "4:memory:/../../etc\nnonsense\n"), undefined);
});
