import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { makeNode, nodeTypes } from "#linux";
import { clientOf } from "#rpc";
import { within } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { processEnd } from "../../harness/process-end.ts";
import { runtimePath, runtimePeers } from "../../harness/runtime.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";
import { ContainerHost, ExitListener } from "./container-host.ts";

const skip = skipWithout({ peers: [...runtimePeers], root: true });
const options = { skip, timeout: 60_000 };
const sleep = ["/bin/sleep", "1000"];
const execSpec = {
  typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process",
  value: Buffer.from(JSON.stringify({ args: ["/bin/true"], cwd: "/", user: { uid: 0, gid: 0 } })),
};

/** Steps of a `runc start`, in the shell; `$fifo` is where the container's process waits for it. */
const waiting = ":";
const released = 'cat "$fifo" >/dev/null';
/** The process ends before it has become the container's program. */
const deserted = 'kill -KILL "$(cat init.pid)"';

let bin: TempFolder;
let host: ContainerHost;
before(async () => {
  if (skip !== false) return;
  bin = await makeTempFolder("rc");
  const path = runtimePath();
  await writeFile(bin.join("runc"), slowRunc(bin.path, path));
  await chmod(bin.join("runc"), 0o755);
  makeNode(bin.join("reached"), nodeTypes.fifo | 0o600);
  const config = "packages: { tasks: { restart: { intensity: 0 } } }\n";
  host = await ContainerHost.start({ config, env: { PATH: `${bin.path}:${path}` } });
});
after(async () => {
  if (skip !== false) return;
  await host[Symbol.asyncDispose]();
  await bin[Symbol.asyncDispose]();
});

/** runc that stops where the file `hold` says, once, and tells so by the FIFO `reached`. Its shim works in the bundle. */
function slowRunc(folder: string, path: string): string {
  return `#!/bin/sh
PATH='${path}'
case " $* " in *" start "* | *" exec "*)
  if [ -e '${folder}/hold' ]; then
    for id; do :; done
    fifo="$2/$id/exec.fifo"
    . '${folder}/hold'
    rm '${folder}/hold'
    echo > '${folder}/reached'
    exec sleep 1000
  fi
esac
exec runc "$@"
`;
}

/** Kills tasks when a start that was asked for has come to where it is held. */
async function cutOff(steps: string, start: () => Promise<unknown>): Promise<void> {
  await writeFile(bin.join("hold"), `${steps}\n`);
  const lost = assert.rejects(start(), { kind: "unavailable" });
  await within("the start", readFile(bin.join("reached")));
  const victim = await host.pidOf("tasks");
  process.kill(victim, "SIGKILL");
  await processEnd(victim);
  await lost;
}

test("a start that is cut off before the process was let go can be asked for again", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await host.container("waiting", sleep);
  const { pid } = await tasks.create({ containerId: "waiting" }, host.scope);
  await cutOff(waiting, () => tasks.start({ containerId: "waiting" }, host.scope));
  assert.equal((await tasks.get({ containerId: "waiting" }, host.scope)).process?.status, Status.CREATED);
  assert.equal((await tasks.start({ containerId: "waiting" }, host.scope)).pid, pid);
  assert.equal((await tasks.get({ containerId: "waiting" }, host.scope)).process?.status, Status.RUNNING);
  await host.clear();
  await host.assertNothingRemains();
});

test(
  "a process that runs though its start was cut off is as any other: listed, asked of, killed",
  options,
  async () => {
    using channel = host.channel();
    const tasks = clientOf(Tasks, channel);
    await using exits = new ExitListener(host);
    const name = { containerId: "released" };
    await host.container("released", sleep);
    const { pid } = await tasks.create(name, host.scope);
    await cutOff(released, () => tasks.start(name, host.scope));
    const wait = tasks.wait(name, host.scope);
    assert.equal((await tasks.start(name, host.scope)).pid, pid, "the answer that was lost");
    await assert.rejects(tasks.start(name, host.scope), { message: /^cannot start a running process/ });
    const { tasks: listed } = await tasks.list({}, host.scope);
    assert.deepEqual(
      listed.map((each) => [each.id, each.pid, each.status]),
      [["released", pid, Status.RUNNING]],
    );
    await tasks.exec({ ...name, execId: "e", spec: execSpec }, host.scope);
    await tasks.start({ ...name, execId: "e" }, host.scope);
    assert.equal((await tasks.wait({ ...name, execId: "e" }, host.scope)).exitStatus, 0);
    await tasks.kill({ ...name, signal: 9 }, host.scope);
    assert.equal((await within("its end", wait)).exitStatus, 137);
    await tasks.delete(name, host.scope);
    await exits.waitFor("/tasks/delete", "released");
    const told = exits.told.filter(({ id }) => id === "released");
    assert.deepEqual(
      told.map(({ topic, exitStatus }) => [topic, exitStatus]),
      [
        ["/tasks/exit", 137],
        ["/tasks/delete", 137],
      ],
    );
    await host.forget("released");
    await host.assertNothingRemains();
  },
);

test("a process that ends of a start that was cut off is told of as it ended, once", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await using exits = new ExitListener(host);
  const name = { containerId: "deserted" };
  await host.container("deserted", sleep);
  await tasks.create(name, host.scope);
  const wait = tasks.wait(name, host.scope);
  await cutOff(deserted, () => tasks.start(name, host.scope));
  const { exitStatus } = await within("its end", wait);
  assert.equal(exitStatus, 137);
  await assert.rejects(tasks.start(name, host.scope), { message: /cannot start a stopped process/ });
  assert.equal((await tasks.delete(name, host.scope)).exitStatus, exitStatus);
  await exits.waitFor("/tasks/delete", "deserted");
  assert.deepEqual(
    exits.told.map((each) => [each.topic, each.exitStatus]),
    [
      ["/tasks/exit", exitStatus],
      ["/tasks/delete", exitStatus],
    ],
  );
  await host.forget("deserted");
  await host.assertNothingRemains();
});

test("an exec whose start was cut off is not started again: its shim would die of it", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  const pid = await host.run("execs", sleep);
  const name = { containerId: "execs", execId: "e" };
  await tasks.exec({ ...name, spec: execSpec }, host.scope);
  await cutOff(waiting, () => tasks.start(name, host.scope));
  await assert.rejects(tasks.start(name, host.scope), { kind: "failed-precondition", message: /cut off/ });
  assert.equal((await tasks.wait(name, host.scope)).exitStatus, 255);
  await tasks.deleteProcess(name, host.scope);
  await tasks.exec({ ...name, spec: execSpec }, host.scope);
  await tasks.start(name, host.scope);
  assert.equal((await tasks.wait(name, host.scope)).exitStatus, 0);
  assert.equal((await tasks.get({ containerId: "execs" }, host.scope)).process?.pid, pid);
  await host.clear();
  await host.assertNothingRemains();
});
