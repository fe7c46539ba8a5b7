import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { clientOf, connect } from "#rpc";
import { numbersFrom } from "../differential/chance.ts";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { ctr } from "../harness/ctr.ts";
import { defaultDeadlineMs, scaled } from "../harness/deadline.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { makeRootfs, removeRuncFolders, runtimePath, runtimePeers } from "../harness/runtime.ts";
import { untilStatus } from "../harness/status-watch.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const rounds = scaled(10);
const stormMs = 300_000;
const victims = ["monitors", "tasks"] as const;
const ids = ["one", "two", "three"];
const namespace = "restart-kills";
const status = "containerd.io/restart.status";
const skip = skipWithout({ peers: ["containerd", ...runtimePeers], root: true });

test("containers that are to run do so in the end, whoever is killed while they are started again", {
  skip,
  timeout: stormMs,
}, async (t) => {
  await using folder = await makeTempFolder("rk");
  await makeRootfs(folder.join("rootfs"));
  await using daemon = await startBulkhead({ config: configIn(folder.join("opt")), env: { PATH: runtimePath() } });
  using channel = connect(daemon.address);
  const run = (...args: readonly string[]) => ctr(daemon.address, args, { namespace });
  for (const id of ids) {
    const made = await run("run", "-d", "--null-io", "--rootfs", folder.join("rootfs"), id, "/bin/sleep", "1000");
    assert.equal(made.code, 0, made.stderr);
    await run("containers", "label", id, `${status}=running`);
  }
  const pids = async (): Promise<ReadonlyMap<string, number>> => {
    const { tasks } = await clientOf(Tasks, channel).list({}, { metadata: { "containerd-namespace": namespace } });
    return new Map(tasks.flatMap(({ id, pid, status: state }) => (state === Status.RUNNING ? [[id, pid]] : [])));
  };
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const random = numbersFrom(seed);
  const isLikely = (): boolean => random(10) < 6;
  for (let round = 0; round < rounds; round += 1) {
    const before = await pids();
    const struck = ids.filter(isLikely);
    await Promise.all(struck.map((id) => run("task", "kill", "-s", "9", id)));
    await delay(random(100));
    const killed = victims.filter(isLikely);
    await Promise.all(killed.map((name) => killPackage(daemon, name)));
    await until(`round ${round} of seed ${seed}: all run, those that were killed anew`, async () => {
      const running = await pids();
      const isDone = ids.every((id) => running.has(id) && !(struck.includes(id) && running.get(id) === before.get(id)));
      return isDone || undefined;
    });
  }
  for (const id of ids) await run("containers", "label", id, `${status}=stopped`);
  await until("all are stopped", async () => ((await pids()).size === 0 ? true : undefined));
  for (const id of ids) await run("containers", "label", id, `${status}=`);
  for (const id of ids) await run("containers", "rm", id);
  assert.equal((await run("containers", "ls", "-q")).stdout, "");
  await removeRuncFolders(namespace);
});

/** A storm is no reason here to give a package up. */
function configIn(opt: string): string {
  const plugins = {
    "io.containerd.internal.v1.restart": { interval: "20ms" },
    "io.containerd.internal.v1.opt": { path: opt },
  };
  const packages = Object.fromEntries(victims.map((name) => [name, { restart: { intensity: 0 } }]));
  return `plugins: ${JSON.stringify(plugins)}\npackages: ${JSON.stringify(packages)}\n`;
}

async function killPackage(daemon: BulkheadDaemon, name: string): Promise<void> {
  const { pid, generation } = await statusOf(daemon, name);
  process.kill(Number(pid), "SIGKILL");
  await untilStatus(daemon, name, (now) => now.generation > generation && now.state === "ready");
}

/** Asks again and again: rounds of the monitor tell nobody of themselves. */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + defaultDeadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    assert.ok(Date.now() < end, what);
  }
}
