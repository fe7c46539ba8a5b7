import assert from "node:assert/strict";
import { constants, openSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { makeNode, nodeTypes } from "#linux";
import { clientOf } from "#rpc";
import { findHierarchies } from "../../../supervisor/process/cgroup/hierarchies.ts";
import { InstanceCgroup } from "../../../supervisor/process/cgroup/instance-cgroup.ts";
import { Child } from "../../harness/child.ts";
import { within } from "../../harness/deadline.ts";
import { LineWatch } from "../../harness/line-watch.ts";
import { containerdProgram, skipWithout } from "../../harness/peers.ts";
import { asking } from "../../harness/persistent-calls.ts";
import { listPlugins, statusOf } from "../../harness/plugin-status.ts";
import { processEnd } from "../../harness/process-end.ts";
import { runtimePeers } from "../../harness/runtime.ts";
import { ContainerHost, ExitListener } from "./container-host.ts";

const skip = skipWithout({ peers: [...runtimePeers], root: true });
const sh = (script: string) => ["/bin/sh", "-c", script];
/** A path in every container: who waits for it goes on when it is there. */
const gate = "/tmp/go";

interface Strike {
  readonly who: string;
  /** What a client loses: nothing, its connections, or the daemon itself until it is started again. */
  readonly costs: "nothing" | "connections" | "the daemon";
  readonly skip?: string | false;
  readonly strike: () => Promise<void>;
}

const strikes: readonly Strike[] = [
  { who: "tasks", costs: "nothing", strike: async () => kill(await host.pidOf("tasks")) },
  {
    who: "tasks, killed with its cgroup",
    costs: "nothing",
    skip: skipWithout({ cgroups: true }),
    strike: async () => killGroupOf(await host.pidOf("tasks")),
  },
  { who: "metadata, and tasks while that is down", costs: "nothing", strike: () => killInTurn("metadata", "tasks") },
  { who: "tasks, and metadata while that is down", costs: "nothing", strike: () => killInTurn("tasks", "metadata") },
  { who: "control", costs: "nothing", strike: async () => kill(...(await host.partPids("control"))) },
  { who: "the router", costs: "connections", strike: async () => kill(...(await host.partPids("router"))) },
  {
    who: "the holder, and control with it",
    costs: "nothing",
    strike: async () => {
      const control = await host.partPids("control");
      assert.equal(control.length, 1);
      await kill(host.daemon.child.pid);
      await Promise.all(control.map((pid) => processEnd(pid)));
    },
  },
  { who: "all processes of the daemon", costs: "the daemon", strike: killAll },
];

let host: ContainerHost;
before(async () => {
  if (skip !== false) return;
  const names = ["tasks", "metadata"].map((name) => `${name}: { restart: { intensity: 0 } }`);
  host = await ContainerHost.start({ config: `packages: { ${names.join(", ")} }\n` });
});
after(async () => {
  if (skip === false) await host[Symbol.asyncDispose]();
});

for (const { who, costs, strike, skip: also = false } of strikes) {
  test(`containers, their output and who waits for them outlive ${who}`, {
    skip: skip || also,
    timeout: 120_000,
  }, async () => {
    await host.clear(); // what a failure before has left
    await rm(gatePath(), { force: true });
    using channel = host.channel();
    const tasks = clientOf(Tasks, channel);
    const { scope } = host;
    const events = (await statusOf(host.daemon, "events")).socket;
    await using exits = new ExitListener(host, events);
    const fifo = host.folder.join(`output-${Math.random()}`);
    makeNode(fifo, nodeTypes.fifo | 0o600);
    using output = readFifo(fifo);
    await host.container("talker", sh("while sleep 0.05; do echo tick; done"));
    await tasks.create({ containerId: "talker", stdout: fifo, stderr: fifo }, scope);
    const { pid } = await tasks.start({ containerId: "talker" }, scope);
    await host.run("brief", sh(`while [ ! -e ${gate} ]; do sleep 0.05; done; exit 7`));
    await startExec("before", `while [ ! -e ${gate} ]; do sleep 0.05; done; exit 9`);
    const shims = new Set(await host.shims());
    const waits = [
      ...Array.from({ length: 3 }, () => ({ containerId: "brief", execId: "", status: 7 })),
      { containerId: "talker", execId: "before", status: 9 },
    ].map(({ status, ...name }) => ({ name, status, answer: settled(tasks.wait(name, scope)) }));
    await tasks.list({}, scope); // the waits are there once a later call is answered
    await output.lines.waitFor(/tick/);

    await strike();
    await writeFile(gatePath(), "");
    await output.lines.waitForNth(/tick/, output.lines.lines.length + 3);
    if (!host.daemon.child.running) await host.restart();

    for (const { name, status, answer } of waits) {
      const { value, error } = await within(`the wait for ${name.execId} in ${name.containerId}`, answer);
      if (costs === "nothing" || error === undefined) assert.equal(value?.exitStatus, status);
      else assert.ok(isHostError(error, "unavailable"), error.message);
      assert.equal((await asking(() => tasks.wait(name, scope))).exitStatus, status);
    }
    if (costs !== "the daemon") {
      assert.equal((await exits.waitFor("/tasks/exit", "brief")).exitStatus, 7);
      assert.equal((await exits.waitFor("/tasks/exit", "before")).exitStatus, 9);
    }
    assert.match(await host.ctr("tasks", "ls"), new RegExp(`^talker +${pid} +RUNNING`, "m"));
    await startExec("after", "exit 3");
    assert.equal((await tasks.wait({ containerId: "talker", execId: "after" }, scope)).exitStatus, 3);
    assert.deepEqual(new Set(await host.shims()), shims);
    output[Symbol.dispose]();
    await using attached = new Child(containerdProgram("ctr"), [
      "--address",
      host.daemon.address,
      "--namespace",
      host.namespace,
      "tasks",
      "attach",
      "talker",
    ]);
    await attached.output.waitFor(/tick/);
    await host.ctr("tasks", "kill", "-s", "SIGKILL", "talker");
    assert.equal((await attached.waitForExit()).code, 137);
    await host.clear();
    await host.assertNothingRemains();
    if (costs === "the daemon") return;
    await exits.waitFor("/tasks/delete", "talker");
    await exits.waitFor("/tasks/delete", "brief");
    assert.deepEqual(exits.told.map(({ topic, id, exitStatus }) => `${topic} ${id} ${exitStatus}`).toSorted(), [
      "/tasks/delete brief 7",
      "/tasks/delete talker 137",
      "/tasks/exit after 3",
      "/tasks/exit before 9",
      "/tasks/exit brief 7",
      "/tasks/exit talker 137",
    ]);
  });
}

/** Where a container's gate is on this side. */
function gatePath(): string {
  return join(host.folder.path, "rootfs", gate);
}

/** Starts a process more in the talker. */
async function startExec(execId: string, script: string): Promise<void> {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  const name = { containerId: "talker", execId };
  const value = Buffer.from(JSON.stringify({ args: sh(script), cwd: "/", user: { uid: 0, gid: 0 } }));
  const spec = { typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process", value };
  await tasks.exec({ ...name, spec }, host.scope);
  await tasks.start(name, host.scope);
}

/** The client's end of a container's output. */
function readFifo(path: string) {
  const { O_RDWR, O_NONBLOCK } = constants;
  const socket = new Socket({ fd: openSync(path, O_RDWR | O_NONBLOCK), readable: true, writable: false });
  return { lines: new LineWatch(socket), [Symbol.dispose]: () => socket.destroy() };
}

/** Never rejects: what came of a call. */
async function settled<T>(call: Promise<T>): Promise<{ readonly value?: T; readonly error?: Error }> {
  try {
    return { value: await call };
  } catch (error) {
    return { error: error as Error };
  }
}

async function kill(...pids: readonly number[]): Promise<void> {
  assert.ok(pids.length > 0 && pids.every((pid) => pid > 0), "somebody to kill");
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await Promise.all(pids.map((pid) => processEnd(pid)));
}

/** The second has ended before the first can be back. */
async function killInTurn(first: string, second: string): Promise<void> {
  const pids = [await host.pidOf(first), await host.pidOf(second)] as const;
  await kill(pids[0]);
  await kill(pids[1]);
}

async function killAll(): Promise<void> {
  const packages = (await listPlugins(host.daemon)).map(({ pid }) => Number(pid)).filter((pid) => pid > 0);
  const parts = [...(await host.partPids("control")), ...(await host.partPids("router"))];
  await kill(...new Set([host.daemon.child.pid, ...parts, ...packages]));
}

/** Kills a process by a cgroup that it alone is in. */
async function killGroupOf(pid: number): Promise<void> {
  const hierarchy = findHierarchies().find(({ version }) => version === 2) ?? findHierarchies()[0];
  assert.ok(hierarchy !== undefined);
  const path = join(hierarchy.ownFolder, `${host.namespace}-tasks`);
  const group = new InstanceCgroup([{ version: hierarchy.version, path, resources: [] }]);
  group.make();
  for (const file of group.procsFiles) await writeFile(file, String(pid));
  group.kill();
  await processEnd(pid);
  await group.remove();
}
