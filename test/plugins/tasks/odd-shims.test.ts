import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { clientOf } from "#rpc";
import { skipWithout } from "../../harness/peers.ts";
import { runtimePeers } from "../../harness/runtime.ts";
import { ContainerHost, ExitListener } from "./container-host.ts";

const skip = skipWithout({ peers: [...runtimePeers], root: true });
const options = { skip, timeout: 60_000 };
const fixture = join(import.meta.dirname, "fixtures/odd-shim.ts");

const config = [
  "plugins: { io.containerd.runtime.v2.task: { start_timeout_ms: 8000 } }",
  "timeouts: { io.containerd.timeout.shim.cleanup: 1s, io.containerd.timeout.shim.shutdown: 1s }",
  "",
].join("\n");

let host: ContainerHost;
let runtime: string;
before(async () => {
  if (skip !== false) return;
  host = await ContainerHost.start({ config });
  runtime = host.folder.join("shim");
  await writeFile(runtime, `#!/bin/sh\nexec '${process.execPath}' '${fixture}' "$@"\n`);
  await chmod(runtime, 0o755);
});
after(async () => {
  if (skip === false) await host[Symbol.asyncDispose]();
});

/** How a Create fails whose shim is broken in that way. */
const failures: readonly (readonly [way: string, what: string, kind: string, message: RegExp])[] = [
  [
    "hangs",
    "does not say where it listens",
    "deadline-exceeded",
    /^failed to start shim: start failed: context deadline/,
  ],
  ["chatters", "prints garbage", "unknown", /^failed to start shim: start failed: the shim printed no address: "hello/],
  ["fails", "says why it cannot", "unknown", /^failed to start shim: start failed: no luck today: exit status 3$/],
  ["future", "is of a later time", "unimplemented", /shim version 4/],
  ["dies", "dies between start and create", "unknown", /^failed to create shim task: ttrpc: closed: unknown$/],
  ["closes", "closes the connection", "unknown", /^failed to create shim task: ttrpc: closed: unknown$/],
  ["huge", "answers with a frame that is too large", "unknown", /message length 5242880 exceed maximum/],
  ["cuts", "answers with half a frame", "unknown", /^failed to create shim task: ttrpc: closed: unknown$/],
  ["garbles", "answers with what is no message", "unknown", /decode a shim's answer/],
  [
    "floods",
    "tells of thousands of exits that nobody had",
    "unknown",
    /^failed to create shim task: ttrpc: closed: unknown$/,
  ],
  [
    "stranger",
    "runs as somebody else",
    "permission-denied",
    /^failed to start shim: start failed: .* is served by uid 65534 and gid 65534$/,
  ],
  ["strays", "answers what nobody asked", "unknown", /^failed to create shim task: ttrpc: closed: unknown$/],
];

for (const [way, what, kind, message] of failures) {
  test(`a shim that ${what} fails its Create, is told of nowhere and leaves nothing`, options, async () => {
    using channel = host.channel();
    const tasks = clientOf(Tasks, channel);
    await using exits = new ExitListener(host);
    await host.container(way, ["/bin/true"], runtime);
    await assert.rejects(tasks.create({ containerId: way }, host.scope), { kind, message });
    await assert.rejects(tasks.get({ containerId: way }, host.scope), { kind: "not-found" });
    await host.assertNothingRemains();
    assert.deepEqual((await tasks.list({}, host.scope)).tasks, []);
    // The stock runtime goes on beside it, and what it tells comes after whatever was told before.
    await host.run("good", ["/bin/true"]);
    await exits.waitFor("/tasks/exit", "good");
    assert.deepEqual(
      exits.told.filter(({ id }) => id === way),
      [],
    );
    await host.clear();
    await host.assertNothingRemains();
  });
}

test("a container that runc has made but its shim cannot give its output is taken away again", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await host.container("half", ["/bin/true"]);
  // containerd's shim wants both outputs or none.
  const stdout = host.folder.join("half.log");
  await writeFile(stdout, "");
  const request = { containerId: "half", stdout, stderr: "" };
  await assert.rejects(tasks.create(request, host.scope), { message: /failed to create shim task: .*io pipe copy/ });
  await host.assertNothingRemains();
  await host.clear();
});

test("a shim that never answers is given up when its caller does", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await host.container("mute", ["/bin/true"], runtime);
  const deadlineMs = Date.now() + 2000;
  await assert.rejects(tasks.create({ containerId: "mute" }, { ...host.scope, deadlineMs }), {
    kind: "deadline-exceeded",
  });
  await host.assertNothingRemains();
  await host.clear();
});

test(
  "a process without a spec, and a change without resources, are refused before a shim dies of them",
  options,
  async () => {
    using channel = host.channel();
    const tasks = clientOf(Tasks, channel);
    const pid = await host.run("steady", ["/bin/sleep", "1000"]);
    await assert.rejects(tasks.exec({ containerId: "steady", execId: "e" }, host.scope), { kind: "invalid-argument" });
    await assert.rejects(tasks.update({ containerId: "steady" }, host.scope), { kind: "invalid-argument" });
    const { tasks: listed } = await tasks.list({}, host.scope);
    assert.deepEqual(
      listed.map((each) => each.pid),
      [pid],
    );
    await host.clear();
    await host.assertNothingRemains();
  },
);

test("an exec whose start failed is not started again, which the shim would die of", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  const pid = await host.run("steady", ["/bin/sleep", "1000"]);
  const process = { args: ["/bin/absent"], cwd: "/", user: { uid: 0, gid: 0 } };
  const spec = { typeUrl: "x", value: Buffer.from(JSON.stringify(process)) };
  const name = { containerId: "steady", execId: "e" };
  await tasks.exec({ ...name, spec }, host.scope);
  await assert.rejects(tasks.start(name, host.scope), { kind: "unknown", message: /OCI runtime exec failed/ });
  await assert.rejects(tasks.start(name, host.scope), {
    kind: "failed-precondition",
    message: /delete it and exec again/,
  });
  await tasks.deleteProcess(name, host.scope);
  await tasks.exec({ ...name, spec }, host.scope);
  await assert.rejects(tasks.start(name, host.scope), { kind: "unknown" });
  const { tasks: listed } = await tasks.list({}, host.scope);
  assert.deepEqual(
    listed.map((each) => each.pid),
    [pid],
  );
  await host.clear();
  await host.assertNothingRemains();
});
