import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { TaskCreateSchema, TaskDeleteSchema } from "#proto/gen/containerd/events/events_pb.ts";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { packAny } from "#proto/wire/any.ts";
import { clientOf } from "#rpc";
import { parseMounts } from "#linux";
import { Exchange } from "../../../plugins/events/exchange.ts";
import { Repeats } from "../../../plugins/events/repeats.ts";
import { eventsService } from "../../../plugins/events/service.ts";
import { findHierarchies } from "../../../plugins/shared/cgroups/hierarchies.ts";
import { OomWatches } from "../../../plugins/monitors/cgroups/oom-watches.ts";
import { TaskFollower } from "../../../plugins/monitors/cgroups/task-follower.ts";
import { WatchedTasks } from "../../../plugins/monitors/cgroups/watched-tasks.ts";
import { defaultDeadlineMs, within } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { inNamespace, startMetadata } from "../metadata/metadata-server.ts";
import { serveService } from "../serve-service.ts";
import { FakeTasks } from "./tasks-server.ts";

const one = inNamespace("one");
const runtime = { name: "io.containerd.runc.v2" };
const spec = { typeUrl: "x", value: Buffer.from("{}") };
const log = { debug() {}, info() {}, warn() {}, error() {} };
const hierarchies = findHierarchies(parseMounts(await readFile("/proc/self/mountinfo", "utf8")));

/** The follower over real events and metadata, and written-down tasks. */
async function openWorld() {
  const owned = new AsyncDisposableStack();
  const folder = owned.use(await makeTempFolder("tf"));
  const metadata = owned.use(await startMetadata(folder.path));
  const fake = new FakeTasks();
  const tasks = owned.use(await serveService(fake.service));
  const exchange = new Exchange();
  const events = owned.use(await serveService(eventsService(exchange, new Repeats())));
  const ooms: string[] = [];
  const watches = owned.use(new OomWatches(({ namespace, id }) => void ooms.push(`${namespace}/${id}`), log));
  const watched = new WatchedTasks(hierarchies, watches, log);
  const containers = metadata.client(Containers);
  const publish = (topic: string, event: ReturnType<typeof packAny>) =>
    clientOf(Events, events.channel).publish({ topic, event }, one);
  return {
    fake,
    publish,
    exchange,
    ooms,
    containers,
    create: (id: string) => containers.create({ container: { id, runtime, spec } }, one),
    created: (id: string, pid: number, bundle = "/s/io.containerd.runtime.v2.task/one/x") =>
      publish("/tasks/create", packAny(TaskCreateSchema, { containerId: id, pid, bundle })),
    deleted: (id: string, pid: number, exec = "") =>
      publish("/tasks/delete", packAny(TaskDeleteSchema, { containerId: id, pid, id: exec })),
    follow: () =>
      owned.use(
        new TaskFollower(
          {
            events: () => clientOf(Events, events.channel),
            tasks: () => clientOf(Tasks, tasks.channel),
            containers: () => containers,
            namespaces: () => metadata.client(Namespaces),
          },
          watched,
          log,
        ),
      ),
    /** Asks for the metrics until they say so. */
    async untilMetrics(what: string, isSo: (text: string) => boolean): Promise<string> {
      const end = performance.now() + defaultDeadlineMs;
      for (;;) {
        const text = await watched.metrics();
        if (isSo(text)) return text;
        assert.ok(performance.now() < end, `${what}:\n${text}`);
        await new Promise(setImmediate);
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const has =
  (id: string, more = "") =>
  (text: string) =>
    text.includes(`container_id="${id}",namespace="one"${more}`);
const named = `,runtime="${runtime.name}"`;
const skip = hierarchies.version === 1 && hierarchies.folders.size === 0 ? "no cgroups" : false;

test("tasks that are there are found by a list, later ones by their events, gone ones are left out", {
  skip,
}, async () => {
  await using world = await openWorld();
  for (const id of ["before", "ended", "later"]) await world.create(id);
  world.fake.put("one/before", { pid: process.pid });
  world.fake.put("one/ended", { pid: process.pid, status: Status.STOPPED });
  world.follow();
  await world.untilMetrics("the list is taken in", has("before", named));
  await world.created("later", process.pid);
  const text = await world.untilMetrics("the event is heard, and the runtime asked for", has("later", named));
  assert.ok(!has("ended")(text), "the pid of an ended task may be another's");
  await world.deleted("later", 1);
  await world.deleted("before", process.pid, "an-exec");
  await world.deleted("later", process.pid);
  const left = await world.untilMetrics("the deletion is heard", (now) => !has("later")(now));
  assert.ok(has("before")(left));
});

test("events that are no task's, whoever published them, change nothing", { skip }, async () => {
  await using world = await openWorld();
  for (const id of ["before", "later"]) await world.create(id);
  world.fake.put("one/before", { pid: process.pid });
  world.follow();
  await world.untilMetrics("the list is taken in", has("before"));
  const { lists } = world.fake;
  for (const typeUrl of [TaskCreateSchema.typeName, "no.such.Type", ""]) {
    await world.publish("/tasks/create", create(AnySchema, { typeUrl, value: Buffer.from([255, 255, 1]) }));
  }
  await world.created("no-container", process.pid);
  await world.created("later", process.pid);
  const text = await world.untilMetrics(
    "later ones are heard, and the one without a container is forgotten",
    (now) => has("later", named)(now) && !has("no-container")(now),
  );
  assert.ok(has("before", named)(text));
  assert.equal(world.fake.lists, lists, "the subscription went on");
});

test("what happens while events are away shows when they are back", { skip }, async () => {
  await using world = await openWorld();
  await world.create("gone");
  await world.create("new");
  world.fake.put("one/gone", { pid: process.pid });
  world.follow();
  await world.untilMetrics("the list is taken in", has("gone"));
  world.fake.tasks.delete("one/gone");
  world.fake.put("one/new", { pid: process.pid });
  world.exchange.close(); // every subscription ends
  await world.untilMetrics("it is listed anew", (text) => has("new", named)(text) && !has("gone")(text));
});

test("tasks that cannot be listed at first are listed later, and events go on", { skip }, async () => {
  await using world = await openWorld();
  await world.create("box");
  world.fake.put("one/box", { pid: process.pid });
  let failures = 2;
  world.fake.onCall = () => {
    if (failures-- > 0) throw new Error("not yet");
  };
  world.follow();
  await world.untilMetrics("it is listed in the end", has("box", named));
});

test("a task of runtime v1 that runs out of memory is told of, once for each time", {
  skip: skipWithout({ root: true, cgroups: true }) || (hierarchies.version === 2 && "needs cgroup v1"),
}, async () => {
  assert.ok(hierarchies.version === 1);
  const group = join(hierarchies.folders.get("memory") ?? "", `bulkhead-test-oom-${process.pid}`);
  await mkdir(group);
  try {
    await writeFile(join(group, "memory.limit_in_bytes"), String(32 * 1024 * 1024));
    await using world = await openWorld();
    world.follow();
    const fill = "const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));";
    // It waits for a line, so that its pid is known before it runs out of memory.
    const script = 'echo $$ > "$1/cgroup.procs"; echo in; read line; exec "$2" -e "$3"';
    const child = spawn("/bin/sh", ["-c", script, "sh", group, process.execPath, fill], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    const ended = once(child, "exit");
    try {
      await within("it is in its group", once(child.stdout, "data"));
      await world.create("hog");
      world.fake.put("one/hog", { pid: child.pid ?? 0 });
      await world.created("hog", child.pid ?? 0, "/s/io.containerd.runtime.v1.linux/one/hog");
      const count = 'container_memory_oom_total{container_id="hog",namespace="one"}';
      await world.untilMetrics("it is watched", (text) => text.includes(`${count} 0`));
      child.stdin.end("go\n");
      assert.deepEqual(await within("the kernel kills it", ended), [null, "SIGKILL"]);
      await world.untilMetrics("it is counted", (text) => text.includes(`${count} 1`));
      assert.deepEqual(world.ooms, ["one/hog"]);
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
    await rmdir(group);
    await world.untilMetrics("the group is gone", (text) => !text.includes("container_memory_"));
    assert.deepEqual(world.ooms, ["one/hog"]);
  } finally {
    await rmdir(group).catch(() => undefined);
  }
});
