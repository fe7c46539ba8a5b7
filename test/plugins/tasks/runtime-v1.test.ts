import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { clientOf } from "#rpc";
import { defaultDeadlineMs, within } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { processEnd } from "../../harness/process-end.ts";
import { runtimePeers } from "../../harness/runtime.ts";
import { ContainerHost, ExitListener } from "./container-host.ts";

const skip = skipWithout({ peers: [...runtimePeers], root: true });
const options = { skip, timeout: 120_000 };
const legacy = "io.containerd.runtime.v1.linux";

let host: ContainerHost;
before(async () => {
  if (skip === false)
    host = await ContainerHost.start({ config: "packages: { tasks: { restart: { intensity: 0 } } }\n" });
});
after(async () => {
  if (skip === false) await host[Symbol.asyncDispose]();
});

/** Makes, creates and starts a container of runtime v1; gives its pid and its shim's. */
async function run(id: string, command: readonly string[]) {
  await host.container(id, command, legacy);
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await tasks.create({ containerId: id }, host.scope);
  const { pid } = await tasks.start({ containerId: id }, host.scope);
  const shim = Number(await readFile(join(host.daemon.state, legacy, host.namespace, id, "shim.pid"), "utf8"));
  return { pid, shim };
}

/** Waits until no bundle of runtime v1 is left, on either side. */
async function untilNoBundle(): Promise<void> {
  const end = Date.now() + defaultDeadlineMs;
  for (;;) {
    const folders = [host.daemon.state, host.daemon.root].map((folder) => join(folder, legacy, host.namespace));
    const left = (await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])))).flat();
    if (left.length === 0) return;
    assert.ok(Date.now() < end, `left behind: ${left.join(", ")}`);
  }
}

test(
  "a container of runtime v1 goes on while tasks is killed, and everything can be asked of it after",
  options,
  async () => {
    using channel = host.channel();
    const tasks = clientOf(Tasks, channel);
    const { pid, shim } = await run("kept", ["/bin/sleep", "1000"]);
    const waiting = tasks.wait({ containerId: "kept" }, host.scope);
    const victim = await host.pidOf("tasks");
    process.kill(victim, "SIGKILL");
    await processEnd(victim);
    const { tasks: listed } = await tasks.list({}, host.scope);
    assert.deepEqual(
      listed.map((each) => [each.id, each.pid, each.status]),
      [["kept", pid, Status.RUNNING]],
    );
    await tasks.kill({ containerId: "kept", signal: 9 }, host.scope);
    assert.equal((await within("the wait from before", waiting)).exitStatus, 137);
    assert.equal((await tasks.delete({ containerId: "kept" }, host.scope)).pid, pid);
    await processEnd(shim);
    await host.clear();
    await untilNoBundle();
  },
);

test("a v1 shim that dies is cleaned up after: who waits is told, exit and deletion once", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await using exits = new ExitListener(host);
  const { pid, shim } = await run("orphan", ["/bin/sleep", "1000"]);
  const waiting = tasks.wait({ containerId: "orphan" }, host.scope);
  await tasks.get({ containerId: "orphan" }, host.scope);
  process.kill(shim, "SIGKILL");
  assert.equal((await within("the exit", waiting)).exitStatus, 137);
  await processEnd(pid);
  await exits.waitFor("/tasks/delete", "orphan");
  assert.deepEqual(exits.told, [
    { topic: "/tasks/exit", id: "orphan", pid, exitStatus: 137 },
    { topic: "/tasks/delete", id: "orphan", pid, exitStatus: 137 },
  ]);
  await host.clear();
  await untilNoBundle();
});

test("a v1 shim that dies while tasks is away is cleaned up after at its start", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await using exits = new ExitListener(host);
  const { pid, shim } = await run("away", ["/bin/sleep", "1000"]);
  await host.kill("tasks");
  process.kill(shim, "SIGKILL");
  await exits.waitFor("/tasks/delete", "away");
  await processEnd(pid);
  assert.deepEqual((await tasks.list({}, host.scope)).tasks, []);
  await host.clear();
  await untilNoBundle();
});

test("a v1 shim that does not answer any more is ended with its task when tasks starts", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await using exits = new ExitListener(host);
  const { pid, shim } = await run("stuck", ["/bin/sleep", "1000"]);
  process.kill(shim, "SIGSTOP");
  await host.kill("tasks");
  await exits.waitFor("/tasks/delete", "stuck");
  for (const each of [pid, shim]) await processEnd(each);
  assert.deepEqual((await tasks.list({}, host.scope)).tasks, []);
  await host.clear();
  await untilNoBundle();
});

test("without its shim runtime v1 says so, and Create still works for others", options, async () => {
  const config = "plugins: { io.containerd.runtime.v1.linux: { shim: /no/such/shim } }\n";
  await using other = await ContainerHost.start({ config });
  const listed = await other.ctr("plugins", "ls", "-d", "id==linux");
  assert.match(
    listed,
    /runtime v1 is not offered: its shim \/no\/such\/shim is not installed; use io\.containerd\.runc\.v2/,
  );
  using channel = other.channel();
  const tasks = clientOf(Tasks, channel);
  await other.container("old", ["/bin/true"], legacy);
  await assert.rejects(tasks.create({ containerId: "old" }, other.scope), {
    message: /runtime "io\.containerd\.runtime\.v1\.linux" binary not installed/,
  });
  await other.run("new", ["/bin/true"]);
  assert.equal((await tasks.wait({ containerId: "new" }, other.scope)).exitStatus, 0);
});
