import assert from "node:assert/strict";
import { closeSync, constants, openSync } from "node:fs";
import { after, before, test } from "node:test";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { makeNode, nodeTypes } from "#linux";
import { clientOf } from "#rpc";
import { within } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { runtimePeers } from "../../harness/runtime.ts";
import { ContainerHost } from "./container-host.ts";

const skip = skipWithout({ peers: [...runtimePeers], root: true });
const options = { skip, timeout: 120_000 };

let host: ContainerHost;
before(async () => {
  if (skip === false) host = await ContainerHost.start();
});
after(async () => {
  if (skip === false) await host[Symbol.asyncDispose]();
});

interface Fifos {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** FIFOs of a process, which nobody opens. */
function makeFifos(name: string): Fifos {
  const [stdin = "", stdout = "", stderr = ""] = ["in", "out", "err"].map((each) =>
    host.folder.join(`${name}-${each}`),
  );
  for (const path of [stdin, stdout, stderr]) makeNode(path, nodeTypes.fifo | 0o700);
  return { stdin, stdout, stderr };
}

/** Opens them, as a client does who then does not read. */
function openFifos({ stdin, stdout, stderr }: Fifos): Disposable {
  const fds = [stdin, stdout, stderr].map((path) => openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
  return { [Symbol.dispose]: () => fds.forEach((fd) => closeSync(fd)) };
}

const babble = ["/bin/sh", "-c", "while true; do echo and so on and so on; echo it goes >&2; done"];

test(
  "a container whose output nobody opens is waited for as long as its client does, and holds up nothing else",
  options,
  async () => {
    using channel = host.channel();
    const tasks = clientOf(Tasks, channel);
    await host.container("lonely", babble);
    const deadlineMs = Date.now() + 3000;
    const created = tasks.create({ containerId: "lonely", ...makeFifos("lonely") }, { ...host.scope, deadlineMs });
    const refused = assert.rejects(created, { kind: "deadline-exceeded" });
    await host.run("other", ["/bin/true"]);
    assert.equal((await within("wait", tasks.wait({ containerId: "other" }, host.scope))).exitStatus, 0);
    await refused;
    await host.clear();
    await host.assertNothingRemains();
  },
);

test("a container whose output nobody reads holds up nothing else, and takes every call", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  const { scope } = host;
  const babbler = { containerId: "babbler" };
  const [fifos, execFifos] = [makeFifos("babbler"), makeFifos("exec")];
  using _client = openFifos(fifos);
  using _execClient = openFifos(execFifos);
  await host.container("babbler", babble);
  await within("create", tasks.create({ ...babbler, ...fifos }, scope));
  const { pid } = await within("start", tasks.start(babbler, scope));
  const value = Buffer.from(JSON.stringify({ args: babble, cwd: "/", user: { uid: 0, gid: 0 } }));
  const exec = { ...babbler, execId: "e" };
  await tasks.exec({ ...exec, spec: { typeUrl: "x", value }, ...execFifos }, scope);
  await within("start of an exec", tasks.start(exec, scope));
  // Another's whole life beside it.
  await host.run("other", ["/bin/true"]);
  assert.equal((await within("wait", tasks.wait({ containerId: "other" }, scope))).exitStatus, 0);
  await tasks.delete({ containerId: "other" }, scope);
  // And its own calls.
  const { process } = await within("get", tasks.get(babbler, scope));
  assert.deepEqual([process?.pid, process?.status], [pid, Status.RUNNING]);
  assert.equal((await within("pids", tasks.listPids(babbler, scope))).processes.length, 2);
  assert.equal((await within("metrics", tasks.metrics({ filters: ["id==babbler"] }, scope))).metrics.length, 1);
  await within("pause", tasks.pause(babbler, scope));
  await within("resume", tasks.resume(babbler, scope));
  await within("closeIO", tasks.closeIO({ ...babbler, stdin: true }, scope));
  await tasks.kill({ ...exec, signal: 9 }, scope);
  assert.equal((await within("wait for the exec", tasks.wait(exec, scope))).exitStatus, 137);
  await within("delete the exec", tasks.deleteProcess(exec, scope));
  await tasks.kill({ ...babbler, signal: 9 }, scope);
  assert.equal((await within("wait", tasks.wait(babbler, scope))).exitStatus, 137);
  await within("delete", tasks.delete(babbler, scope));
  await host.clear();
  await host.assertNothingRemains();
});
