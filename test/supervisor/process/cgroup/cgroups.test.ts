import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { manifestDefaults } from "../../../../supervisor/config/manifest-defaults.ts";
import type { Manifest } from "../../../../supervisor/config/manifest.ts";
import { Cgroups } from "../../../../supervisor/process/cgroup/cgroups.ts";
import { resources } from "../../../../supervisor/process/cgroup/group-files.ts";
import type { Hierarchy } from "../../../../supervisor/process/cgroup/hierarchies.ts";
import type { InstanceCgroup } from "../../../../supervisor/process/cgroup/instance-cgroup.ts";
import { handBackControllers } from "../../../../supervisor/process/cgroup/left-groups.ts";
import { Child } from "../../../harness/child.ts";
import { skipWithout } from "../../../harness/peers.ts";
import { makeTempFolder, type TempFolder } from "../../../harness/temp-folder.ts";

/** A folder tree stands in for v2 controllers, which a machine may lack; cgroup.kill is tried for real below. */
let folder: TempFolder;
let count = 0;

before(async () => {
  folder = await makeTempFolder("g");
});
after(() => folder[Symbol.asyncDispose]());

function manifest(limits: Partial<Manifest["limits"]>, kill: "group" | "process" = "group") {
  const base = manifestDefaults("acme", "proxy");
  return { ...base, limits: { ...base.limits, ...limits }, stop: { graceMs: 0, kill } };
}

/** A v2 group as the kernel would show it, with `pids` in it. */
function tree(controllers: string, pids: readonly number[] = []): { state: string; hierarchy: Hierarchy } {
  const state = folder.join(`state${++count}`);
  const mountPoint = folder.join(`mount${count}`);
  const ownFolder = join(mountPoint, "unit");
  mkdirSync(state);
  mkdirSync(ownFolder, { recursive: true });
  writeFileSync(join(ownFolder, "cgroup.controllers"), `${controllers}\n`);
  writeFileSync(join(ownFolder, "cgroup.subtree_control"), "\n");
  writeFileSync(join(ownFolder, "cgroup.procs"), pids.map((pid) => `${pid}\n`).join(""));
  return { state, hierarchy: { version: 2, controllers: [], mountPoint, ownFolder } };
}

function read(group: InstanceCgroup | undefined, file: string): string {
  return readFileSync(join(group?.folders[0]?.path ?? "", file), "utf8");
}

test("under v2 all limits of an instance stand in one group before anything runs in it", () => {
  const { state, hierarchy } = tree("cpuset cpu io memory pids");
  const cgroups = Cgroups.open({ state, daemonPid: process.pid, hierarchies: [hierarchy] });
  assert.deepEqual(
    resources.map((each) => cgroups.unavailable(each)),
    [undefined, undefined, undefined],
  );
  const group = cgroups.create(manifest({ memoryBytes: 2 ** 26, cpu: 0.5, pids: 32 }), 7);
  assert.equal(read(group, "memory.max"), String(2 ** 26));
  assert.equal(read(group, "memory.swap.max"), "0");
  assert.equal(read(group, "cpu.max"), "50000 100000");
  assert.equal(read(group, "pids.max"), "32");
  assert.equal(group?.procsFiles.length, 1);
  assert.match(group?.procsFiles[0] ?? "", /\/unit\/bulkhead-[0-9a-f]{12}\/acme\.7\/cgroup\.procs$/);
});

test("under v2 the daemon's processes move to a leaf, so that their group may hand on controllers", async () => {
  await using child = new Child("sleep", ["infinity"]);
  const { state, hierarchy } = tree("memory", [process.pid, child.pid]);
  const cgroups = Cgroups.open({ state, daemonPid: process.pid, hierarchies: [hierarchy] });
  assert.equal(cgroups.unavailable("memory"), undefined);
  // A file takes the last write only, where the kernel would take both.
  const moved = readFileSync(join(hierarchy.ownFolder, "supervisor/cgroup.procs"), "utf8");
  assert.equal(moved, String(child.pid));
  assert.equal(readFileSync(join(hierarchy.ownFolder, "cgroup.subtree_control"), "utf8"), "+memory");
});

test("under v2 strangers in the daemon's group are never moved, and limits are then said not to be enforced", () => {
  const { state, hierarchy } = tree("memory pids", [process.pid, 1]);
  const cgroups = Cgroups.open({ state, daemonPid: process.pid, hierarchies: [hierarchy] });
  assert.match(cgroups.unavailable("memory") ?? "", /process 1, which is not the daemon's.*Delegate=yes/);
  assert.equal(existsSync(join(hierarchy.ownFolder, "supervisor")), false);
  assert.equal(cgroups.create(manifest({ memoryBytes: 2 ** 26 }), 1), undefined);
});

test("what a group has counted is read from v2's files", () => {
  const { state, hierarchy } = tree("memory cpu pids");
  const cgroups = Cgroups.open({ state, daemonPid: process.pid, hierarchies: [hierarchy] });
  const group = cgroups.create(manifest({ memoryBytes: 2 ** 26, cpu: 1, pids: 9 }), 1);
  const path = group?.folders[0]?.path ?? "";
  writeFileSync(join(path, "memory.current"), "1000\n");
  writeFileSync(join(path, "memory.peak"), "2000\n");
  writeFileSync(join(path, "memory.events"), "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\n");
  writeFileSync(join(path, "cpu.stat"), "usage_usec 1\nnr_periods 9\nnr_throttled 4\n");
  writeFileSync(join(path, "pids.events"), "max 3\n");
  assert.deepEqual(group?.usage(), {
    memoryBytes: 1000,
    memoryPeakBytes: 2000,
    memoryHits: 12,
    oomKills: 1,
    cpuHits: 4,
    pidsHits: 3,
  });
});

test("controllers that were handed back before a restart are taken again, with the limits of what runs", () => {
  const { state, hierarchy } = tree("memory");
  const first = Cgroups.open({ state, daemonPid: process.pid, hierarchies: [hierarchy] });
  const limited = manifest({ memoryBytes: 2 ** 26 });
  const group = first.create(limited, 1);
  const root = dirname(group?.folders[0]?.path ?? "");
  const enabled = () =>
    [hierarchy.ownFolder, root].map((path) => readFileSync(join(path, "cgroup.subtree_control"), "utf8"));
  for (const path of [hierarchy.ownFolder, root]) writeFileSync(join(path, "cgroup.subtree_control"), "memory\n");
  handBackControllers(state);
  assert.deepEqual(enabled(), ["-memory", "-memory"]);

  for (const path of [hierarchy.ownFolder, root]) writeFileSync(join(path, "cgroup.subtree_control"), "\n");
  writeFileSync(join(root, "acme.1", "memory.max"), "max");
  writeFileSync(join(root, "acme.1", "cgroup.controllers"), "memory");
  const second = Cgroups.open({ state, daemonPid: process.pid, hierarchies: [hierarchy] });
  assert.deepEqual(enabled(), ["+memory", "+memory"]);
  assert.equal(read(second.find(limited, 1), "memory.max"), String(2 ** 26));
});

test("a resource that no hierarchy offers is said to be unenforceable, and why", () => {
  const { state, hierarchy } = tree("memory");
  const cgroups = Cgroups.open({ state, daemonPid: process.pid, hierarchies: [hierarchy] });
  assert.equal(cgroups.unavailable("memory"), undefined);
  assert.match(cgroups.unavailable("cpu") ?? "", /no cgroup hierarchy with the cpu controller is mounted/);
});

test("a place that cannot be written to is named, with what to do", () => {
  const state = folder.join(`state${++count}`);
  mkdirSync(state);
  const ownFolder = folder.join("a-file");
  writeFileSync(ownFolder, "");
  const hierarchies: Hierarchy[] = [{ version: 1, controllers: ["pids"], mountPoint: folder.path, ownFolder }];
  const cgroups = Cgroups.open({ state, daemonPid: process.pid, hierarchies });
  assert.match(
    cgroups.unavailable("pids") ?? "",
    /a-file\/bulkhead-.* cannot be made \(ENOTDIR\): run the daemon as root/,
  );
});

test("a package whose children may outlive it has no group unless it has limits", () => {
  const { state, hierarchy } = tree("memory");
  const cgroups = Cgroups.open({ state, daemonPid: process.pid, hierarchies: [hierarchy] });
  assert.equal(cgroups.create(manifest({}, "process"), 1), undefined);
  const group = cgroups.create(manifest({ memoryBytes: 2 ** 26 }, "process"), 2);
  assert.match(group?.folders[0]?.path ?? "", /\/acme\.2\.outliving$/);
});

const skip = skipWithout({ cgroups: true });

test("everything that a process in a group has started is killed, whatever session it made itself", {
  skip,
}, async () => {
  const state = folder.join(`state${++count}`);
  mkdirSync(state);
  await using cgroups = Cgroups.open({ state, daemonPid: process.pid });
  const group = cgroups.create(manifest({}), 1);
  assert.ok(group);
  const script = 'echo $$ > "$0"; setsid sleep infinity & exec sleep infinity';
  await using child = new Child("/bin/sh", ["-c", script, group.procsFiles[0] ?? ""]);
  await untilInside(group, 2);
  group.kill();
  assert.equal((await child.waitForExit()).signal, "SIGKILL");
  await group.remove();
  assert.deepEqual(
    group.folders.map(({ path }) => existsSync(path)),
    [false],
  );
});

test("groups of dead generations are swept with what still runs in them, living ones stay", { skip }, async () => {
  const state = folder.join(`state${++count}`);
  mkdirSync(state);
  const first = Cgroups.open({ state, daemonPid: process.pid });
  const dead = first.create(manifest({}), 1);
  const alive = first.create(manifest({}), 2);
  assert.ok(dead && alive);
  await using child = new Child("/bin/sh", ["-c", 'echo $$ > "$0"; exec sleep infinity', dead.procsFiles[0] ?? ""]);
  await untilInside(dead, 1);

  {
    await using second = Cgroups.open({ state, daemonPid: process.pid });
    second.sweep(new Set(["acme.2"]));
    await child.waitForExit();
    assert.ok(second.find(manifest({}), 2));
  }
  assert.deepEqual(
    [dead, alive].map(({ folders }) => existsSync(folders[0]?.path ?? "")),
    [false, true],
  );
  await using last = Cgroups.open({ state, daemonPid: process.pid });
  last.sweep(new Set());
});

/** Groups tell nobody of arrivals in v1: looks again at each turn of the loop. */
async function untilInside(group: InstanceCgroup, processes: number): Promise<void> {
  const signal = AbortSignal.timeout(5000);
  while (group.pids().length < processes) {
    signal.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
