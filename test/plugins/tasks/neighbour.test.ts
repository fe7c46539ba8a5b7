import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { clientOf, connect } from "#rpc";
import { ctr } from "../../harness/ctr.ts";
import { skipWithout } from "../../harness/peers.ts";
import { processEnd } from "../../harness/process-end.ts";
import { runtimePath, runtimePeers } from "../../harness/runtime.ts";
import { startStock, type Daemon } from "../../harness/stock-daemon.ts";
import { ContainerHost } from "./container-host.ts";

/** A stock daemon on the same machine, with a container of the same name in a namespace of the same name. */

const skip = skipWithout({ peers: ["containerd", ...runtimePeers], root: true });
const options = { skip, timeout: 120_000 };

const owned = new AsyncDisposableStack();
let host: ContainerHost;
let stock: Daemon;
before(async () => {
  if (skip !== false) return;
  // Ours goes last: it removes what runc keeps of the namespace.
  host = owned.use(await ContainerHost.start({ config: "packages: { tasks: { restart: { intensity: 0 } } }\n" }));
  stock = owned.use(await startStock({ env: { PATH: runtimePath() } }));
});
after(async () => owned.disposeAsync());

function stockCtr(...words: readonly string[]) {
  return ctr(stock.address, words, { namespace: host.namespace });
}

async function runOnStock(): Promise<void> {
  const rootfs = host.folder.join("rootfs");
  const { code, stderr } = await stockCtr("run", "-d", "--null-io", "--rootfs", rootfs, "same", "/bin/sleep", "1000");
  assert.equal(code, 0, stderr);
}

/** Pid and status of the stock daemon's container. */
async function onStock(): Promise<readonly (readonly [number, Status])[]> {
  using channel = connect(stock.address);
  const { tasks } = await clientOf(Tasks, channel).list({}, host.scope);
  return tasks.map(({ pid, status }) => [pid, status] as const);
}

async function removeFromStock(): Promise<void> {
  for (const words of [
    ["task", "rm", "-f", "same"],
    ["containers", "rm", "same"],
  ])
    assert.equal((await stockCtr(...words)).code, 0);
}

test(
  "a container of the stock daemon is not harmed by one of ours with its name, which is refused",
  options,
  async () => {
    using channel = host.channel();
    const tasks = clientOf(Tasks, channel);
    await runOnStock();
    const before = await onStock();
    assert.equal(before[0]?.[1], Status.RUNNING);
    await host.container("same", ["/bin/sleep", "1000"]);
    for (let round = 0; round < 2; round++) {
      await assert.rejects(tasks.create({ containerId: "same" }, host.scope), {
        message: /container with given ID already exists/,
      });
      assert.deepEqual((await tasks.list({}, host.scope)).tasks, []);
      assert.deepEqual(await onStock(), before);
      const victim = await host.pidOf("tasks");
      await host.kill("tasks");
      await processEnd(victim);
    }
    assert.deepEqual((await tasks.list({}, host.scope)).tasks, []);
    await host.clear();
    assert.deepEqual(await onStock(), before);
    await removeFromStock();
    await host.assertNothingRemains();
  },
);

test("what becomes of ours never harms the stock daemon's later container of its name", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  const pid = await host.run("same", ["/bin/sleep", "1000"]);
  const rootfs = host.folder.join("rootfs");
  const refused = await stockCtr("run", "-d", "--null-io", "--rootfs", rootfs, "same", "/bin/true");
  assert.match(refused.stderr, /container with given ID already exists/);
  // What stock's own clean-up did with it is what ours says of it.
  const { process: found } = await tasks.get({ containerId: "same" }, host.scope);
  assert.equal(found?.pid, pid);
  await tasks.kill({ containerId: "same", signal: 9 }, host.scope).catch(() => undefined);
  assert.equal((await tasks.wait({ containerId: "same" }, host.scope)).exitStatus, 137);
  await tasks.delete({ containerId: "same" }, host.scope).catch(() => undefined);
  await stockCtr("containers", "rm", "same");
  await runOnStock();
  const before = await onStock();
  const victim = await host.pidOf("tasks");
  await host.kill("tasks");
  await processEnd(victim);
  await host.clear();
  assert.deepEqual(await onStock(), before);
  assert.equal(before[0]?.[1], Status.RUNNING);
  await removeFromStock();
  await host.assertNothingRemains();
});
