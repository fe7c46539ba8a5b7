import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { clientOf } from "#rpc";
import { within } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { processEnd } from "../../harness/process-end.ts";
import { waitForState } from "../../harness/plugin-status.ts";
import { runtimePeers } from "../../harness/runtime.ts";
import { ContainerHost, ExitListener, runtimeUri } from "./container-host.ts";

const skip = skipWithout({ peers: [...runtimePeers], root: true });
const options = { skip, timeout: 120_000 };
const sh = (script: string) => ["/bin/sh", "-c", script];
/** Writes a line whenever it is asked to, by a signal. */
const talker = sh("trap 'echo asked' USR1; while true; do sleep 1000 & wait $!; done");
const usr1 = 10;

let host: ContainerHost;
before(async () => {
  if (skip === false)
    host = await ContainerHost.start({ config: "packages: { tasks: { restart: { intensity: 0 } } }\n" });
});
after(async () => {
  if (skip === false) await host[Symbol.asyncDispose]();
});

test(
  "containers and their output go on while tasks is killed, and everything can be asked of them after",
  options,
  async () => {
    using channel = host.channel();
    const tasks = clientOf(Tasks, channel);
    const { scope } = host;
    const log = host.folder.join("log");
    await host.container("talker", talker);
    const uri = `file://${log}`;
    await tasks.create({ containerId: "talker", stdout: uri, stderr: uri }, scope);
    const { pid } = await tasks.start({ containerId: "talker" }, scope);
    const waiting = tasks.wait({ containerId: "talker" }, scope);
    const victim = await host.pidOf("tasks");
    process.kill(victim, "SIGKILL");
    await processEnd(victim);
    const { tasks: listed } = await tasks.list({}, scope);
    assert.deepEqual(
      listed.map((each) => [each.id, each.pid, each.status]),
      [["talker", pid, Status.RUNNING]],
    );
    const spec = Buffer.from(JSON.stringify({ args: sh("exit 3"), cwd: "/", user: { uid: 0, gid: 0 } }));
    await tasks.exec({ containerId: "talker", execId: "e", spec: { typeUrl: "x", value: spec } }, scope);
    await tasks.start({ containerId: "talker", execId: "e" }, scope);
    assert.equal((await tasks.wait({ containerId: "talker", execId: "e" }, scope)).exitStatus, 3);
    await tasks.kill({ containerId: "talker", signal: usr1 }, scope);
    await tasks.kill({ containerId: "talker", signal: 9 }, scope);
    assert.equal((await within("the wait from before", waiting)).exitStatus, 137);
    assert.equal((await tasks.delete({ containerId: "talker" }, scope)).pid, pid);
    await host.clear();
    await host.assertNothingRemains();
    // It was asked before it was killed, but need not have had the time to answer.
    assert.match(await readFile(log, "utf8"), /^(asked\n)*$/);
  },
);

test("an exit while tasks is away reaches who waits, with its code, and is told once", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await using exits = new ExitListener(host);
  await host.run("brief", sh("while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 7"));
  const waiting = tasks.wait({ containerId: "brief" }, host.scope);
  const victim = await host.pidOf("tasks");
  process.kill(victim, "SIGKILL");
  await writeFile(join(host.folder.path, "rootfs/tmp/go"), "");
  assert.equal((await within("the exit", waiting)).exitStatus, 7);
  await exits.waitFor("/tasks/exit", "brief");
  await tasks.delete({ containerId: "brief" }, host.scope);
  await exits.waitFor("/tasks/delete", "brief");
  assert.deepEqual(
    exits.told.map(({ topic, exitStatus }) => [topic, exitStatus]),
    [
      ["/tasks/exit", 7],
      ["/tasks/delete", 7],
    ],
  );
  await host.clear();
  await host.assertNothingRemains();
});

test("a shim that dies is cleaned up after: who waits is told, exit and deletion once", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await using exits = new ExitListener(host);
  const pid = await host.run("orphan", ["/bin/sleep", "1000"]);
  const waiting = tasks.wait({ containerId: "orphan" }, host.scope);
  // The Wait is at the shim once a later call has been answered there.
  await tasks.get({ containerId: "orphan" }, host.scope);
  for (const shim of await host.shims("orphan")) process.kill(shim, "SIGKILL");
  assert.equal((await within("the exit", waiting)).exitStatus, 137);
  await processEnd(pid);
  await exits.waitFor("/tasks/delete", "orphan");
  assert.deepEqual(exits.told, [
    { topic: "/tasks/exit", id: "orphan", pid, exitStatus: 137 },
    { topic: "/tasks/delete", id: "orphan", pid, exitStatus: 137 },
  ]);
  await host.assertNothingRemains();
  await assert.rejects(tasks.get({ containerId: "orphan" }, host.scope), { kind: "not-found" });
  await host.clear();
});

test("a shim that dies while tasks is away is cleaned up after at its start", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await using exits = new ExitListener(host);
  const pid = await host.run("away", ["/bin/sleep", "1000"]);
  const shims = await host.shims("away");
  await host.kill("tasks");
  for (const shim of shims) process.kill(shim, "SIGKILL");
  await exits.waitFor("/tasks/delete", "away");
  await processEnd(pid);
  assert.deepEqual(exits.told, [
    { topic: "/tasks/exit", id: "away", pid, exitStatus: 137 },
    { topic: "/tasks/delete", id: "away", pid, exitStatus: 137 },
  ]);
  assert.deepEqual((await tasks.list({}, host.scope)).tasks, []);
  await host.assertNothingRemains();
  await host.clear();
});

test("a shim that does not answer after a restart is ended, and what was its is told once", options, async () => {
  await using exits = new ExitListener(host);
  const pid = await host.run("hung", ["/bin/sleep", "1000"]);
  const [shim = 0] = await host.shims("hung");
  process.kill(shim, "SIGSTOP");
  await host.kill("tasks");
  await exits.waitFor("/tasks/delete", "hung");
  await processEnd(shim);
  await processEnd(pid);
  assert.deepEqual(exits.told, [
    { topic: "/tasks/exit", id: "hung", pid, exitStatus: 137 },
    { topic: "/tasks/delete", id: "hung", pid, exitStatus: 137 },
  ]);
  await host.assertNothingRemains();
  await host.clear();
});

test("when everything is killed at once containers go on, and the next daemon has them", options, async () => {
  const pid = await host.run("survivor", ["/bin/sleep", "1000"]);
  const { child } = host.daemon;
  const own = (await host.remains()).filter((each) => each.startsWith("shim "));
  const names = ["tasks", "events", "metadata", "content"];
  const victims = await Promise.all(names.map((name) => host.pidOf(name)));
  process.kill(child.pid, "SIGKILL"); // the holder; control ends by itself
  for (const victim of victims) process.kill(victim, "SIGKILL");
  await Promise.all(victims.map((victim) => processEnd(victim)));
  await host.restart();
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  const { tasks: listed } = await tasks.list({}, host.scope);
  assert.deepEqual(
    listed.map((each) => [each.id, each.pid, each.status]),
    [["survivor", pid, Status.RUNNING]],
  );
  assert.deepEqual(
    (await host.remains()).filter((each) => each.startsWith("shim ")),
    own,
  );
  await tasks.kill({ containerId: "survivor", signal: 9 }, host.scope);
  assert.equal((await tasks.wait({ containerId: "survivor" }, host.scope)).exitStatus, 137);
  await host.clear();
  await host.assertNothingRemains();
});

test("bundles that nobody can have use of are removed at a start, and no more than they", options, async () => {
  const pid = await host.run("good", ["/bin/sleep", "1000"]);
  const state = join(host.daemon.state, runtimeUri, host.namespace);
  const work = join(host.daemon.root, runtimeUri, host.namespace);
  const odd: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    empty: {},
    unstarted: { "config.json": "{}" },
    "no-address": { "shim-binary-path": "/bin/true" },
    "nobody-listens": { "shim-binary-path": "/bin/true", address: "unix:///run/nobody" },
    garbage: { "shim-binary-path": "/bin/false", address: "\u0001\n\n//", "init.pid": "not a number" },
    "no-program": { "shim-binary-path": "/no/such/program", address: "unix:///run/nobody" },
    later: { "shim-binary-path": "/bin/true", "bootstrap.json": '{"version":9}' },
    ".half": { address: "x" },
  };
  const outside = host.folder.join("outside");
  await mkdir(outside);
  await writeFile(join(outside, "kept"), "");
  await host.kill("tasks");
  for (const [name, files] of Object.entries(odd)) {
    await mkdir(join(state, name), { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(join(state, name, file), text);
  }
  await mkdir(join(work, "forgotten"), { recursive: true });
  await waitForState(host.daemon, "tasks", "ready");
  // What was written during a start is seen by the next.
  await host.kill("tasks");
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  const { tasks: listed } = await tasks.list({}, host.scope);
  assert.deepEqual(
    listed.map((each) => [each.id, each.pid]),
    [["good", pid]],
  );
  const left = (await host.remains()).filter((each) => !each.startsWith("shim ") && !each.endsWith("/good"));
  assert.deepEqual(left, []);
  assert.equal(await readFile(join(outside, "kept"), "utf8"), "");
  await host.clear();
  await host.assertNothingRemains();
});
