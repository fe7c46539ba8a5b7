import assert from "node:assert/strict";
import { test } from "node:test";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { clientOf } from "#rpc";
import { RestartMonitor } from "../../../plugins/monitors/restart/restart-monitor.ts";
import { within } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { inNamespace, startMetadata } from "../metadata/metadata-server.ts";
import { startSnapshotter } from "../metadata/snapshotter-server.ts";
import { serveService } from "../serve-service.ts";
import { FakeTasks } from "./tasks-server.ts";

const status = "containerd.io/restart.status";
const policy = "containerd.io/restart.policy";
const count = "containerd.io/restart.count";
const one = inNamespace("one");

/** The monitor over real metadata and written-down tasks, looking without a rest. */
async function openWorld() {
  const owned = new AsyncDisposableStack();
  const folder = owned.use(await makeTempFolder("rm"));
  owned.use(await startSnapshotter(folder.path, "folder"));
  const metadata = owned.use(await startMetadata(folder.path, { snapshotters: ["folder"] }));
  const fake = new FakeTasks();
  const tasks = owned.use(await serveService(fake.service));
  const containers = metadata.client(Containers);
  const warnings: string[] = [];
  const say = (message: string, fields?: Record<string, unknown>) =>
    warnings.push(`${message} ${JSON.stringify(fields)}`);
  const clients = {
    containers,
    tasks: clientOf(Tasks, tasks.channel),
    namespaces: metadata.client(Namespaces),
    snapshots: metadata.client(Snapshots),
  };
  return {
    fake,
    warnings,
    containers,
    snapshots: clients.snapshots,
    create: (id: string, labels: Record<string, string>, more: Record<string, unknown> = {}) =>
      containers.create(
        {
          container: {
            id,
            labels,
            runtime: { name: "io.containerd.runc.v2" },
            spec: { typeUrl: "x", value: Buffer.from("{}") },
            ...more,
          },
        },
        one,
      ),
    watch: () =>
      owned.use(
        new RestartMonitor({
          clients: () => clients,
          intervalMs: 5,
          log: { debug() {}, info() {}, warn: say, error: say },
        }),
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Rounds of the monitor that begin and end from now on: each asks for the tasks. */
async function rounds(fake: FakeTasks, key: string, times: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = 0;
  fake.onCall = (method, called) => {
    if (method === "get" && called === key && ++seen === times) resolve();
  };
  await within(`${times} rounds`, promise);
}

test("a container that is to run and does not is started, with its output where its label says", async () => {
  await using world = await openWorld();
  await world.create("box", { [status]: "running", "containerd.io/restart.loguri": "file:///tmp/x y" });
  await world.create("old", { [status]: "running", "containerd.io/restart.logpath": "/tmp/x y/../z%" });
  await world.create("quiet", { [status]: "running" });
  await world.create("not-watched", {});
  await world.create("odd", { [status]: "created" });
  world.watch();
  await within(
    "all are started",
    Promise.all(["box", "old", "quiet"].map((id) => world.fake.untilCalled(`start one/${id}`))),
  );
  const made = [...world.fake.tasks].map(([key, { status: state, stdout }]) => `${key} ${state} ${stdout}`);
  assert.deepEqual(made.toSorted(), [
    `one/box ${Status.RUNNING} file:///tmp/x y`,
    `one/old ${Status.RUNNING} file:///tmp/z%25`,
    `one/quiet ${Status.RUNNING} `,
  ]);
  world.fake.end("one/box", 3);
  await within("it is started again", world.fake.untilCalled("start one/box", 2));
  assert.deepEqual(
    world.fake.calls.filter((call) => call.endsWith("one/box")),
    ["kill 9 all", "delete", "create", "start", "kill 9 all", "delete", "create", "start"].map(
      (call) => `${call} one/box`,
    ),
  );
  const { container } = await world.containers.get({ id: "box" }, one);
  assert.equal(container?.labels[count], undefined, "nobody counts without a policy");
});

test("a container that is to be stopped is killed with all its processes, and its task deleted", async () => {
  await using world = await openWorld();
  await world.create("box", { [status]: "stopped" });
  await world.create("ended", { [status]: "stopped" });
  await world.create("never", { [status]: "stopped" });
  world.fake.put("one/box");
  world.fake.put("one/ended", { status: Status.STOPPED });
  world.watch();
  await within("it is deleted", world.fake.untilCalled("delete one/box"));
  await rounds(world.fake, "one/never", 3);
  assert.deepEqual(world.fake.calls, ["kill 9 all one/box", "delete one/box"]);
  assert.deepEqual([...world.fake.tasks.keys()], ["one/ended"]);
});

test("a container that cannot be killed holds up no other", async () => {
  await using world = await openWorld();
  await world.create("a-stuck", { [status]: "stopped" });
  world.fake.put("one/a-stuck");
  const { promise, resolve } = Promise.withResolvers<void>();
  world.fake.onKill = () => promise;
  world.watch();
  await within("it is being killed", world.fake.untilCalled("kill 9 all one/a-stuck"));
  await world.create("box", { [status]: "running" });
  await within("another is started", world.fake.untilCalled("start one/box"));
  await rounds(world.fake, "one/box", 3);
  assert.equal(world.fake.calls.filter((call) => call.startsWith("kill") && call.endsWith("stuck")).length, 1);
  resolve();
  await within("it is deleted in the end", world.fake.untilCalled("delete one/a-stuck"));
});

test("a task whose package does not answer is not taken for one that is gone", async () => {
  await using world = await openWorld();
  await world.create("box", { [status]: "running" });
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  world.fake.onCall = () => {
    if (++asked === 3) resolve();
    if (asked <= 3) throw new HostError("unavailable", "away");
  };
  world.watch();
  await within("it was asked", promise);
  await within("it is started when the answer came", world.fake.untilCalled("start one/box"));
  assert.ok(world.warnings.some((text) => text.includes("away")));
});

test("policies decide on what starts again, and starts are counted", async () => {
  await using world = await openWorld();
  const running = (name: string, more: Record<string, string> = {}) => ({
    [status]: "running",
    [policy]: name,
    ...more,
  });
  const stopped = { status: Status.STOPPED };
  for (const [id, labels, exitStatus] of [
    ["always", running("always"), 0],
    ["failure", running("on-failure"), 1],
    ["twice", running("on-failure:2", { [count]: "1" }), 1],
    ["unless", running("unless-stopped"), 0],
    ["no", running("no"), 1],
    ["success", running("on-failure"), 0],
    ["enough", running("on-failure:2", { [count]: "2" }), 1],
    ["person", running("unless-stopped", { "containerd.io/restart.explicitly-stopped": "true" }), 1],
    ["odd", running("sometimes"), 1],
    ["odd-count", running("on-failure:x"), 1],
    ["odd-limit", running("always:3"), 1],
  ] as const) {
    await world.create(id, labels);
    world.fake.put(`one/${id}`, { ...stopped, exitStatus });
  }
  world.watch();
  const started = ["always", "failure", "twice", "unless"];
  await within("those are started", Promise.all(started.map((id) => world.fake.untilCalled(`start one/${id}`))));
  await rounds(world.fake, "one/unless", 3);
  const starts = world.fake.calls.filter((call) => call.startsWith("start ")).toSorted();
  assert.deepEqual(
    starts,
    started.map((id) => `start one/${id}`),
  );
  for (const [id, starts] of [
    ["always", "1"],
    ["twice", "2"],
  ] as const) {
    const { container } = await world.containers.get({ id }, one);
    assert.equal(container?.labels[count], starts);
  }
  for (const text of ["not supported", "invalid max retry count", "not support max retry count"]) {
    assert.ok(
      world.warnings.some((warning) => warning.includes(text)),
      text,
    );
  }
});

test("a task is made over its container's snapshot, with the spec's mount label", async () => {
  await using world = await openWorld();
  await world.snapshots.prepare({ snapshotter: "folder", key: "k" }, one);
  const spec = { typeUrl: "x", value: Buffer.from('{"linux":{"mountLabel":"system_u:object_r:x"}}') };
  await world.create("box", { [status]: "running" }, { snapshotter: "folder", snapshotKey: "k", spec });
  await world.create("lost", { [status]: "running" }, { snapshotter: "folder", snapshotKey: "absent" });
  world.watch();
  await within("it is started", world.fake.untilCalled("start one/box"));
  const options = world.fake.tasks.get("one/box")?.rootfs.flatMap((mount) => mount.options);
  assert.ok(options?.includes('context="system_u:object_r:x"'), options?.join());
  await rounds(world.fake, "one/lost", 2);
  assert.ok(world.warnings.some((text) => text.includes("lost") && text.includes("does not exist")));
  assert.ok(!world.fake.calls.includes("create one/lost"));
});
