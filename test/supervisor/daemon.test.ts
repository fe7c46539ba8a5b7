import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { chmod, chown, mkdir } from "node:fs/promises";
import { test } from "node:test";
import { execa } from "execa";
import { unixListen } from "#linux";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Events } from "#proto/gen/containerd/services/events/v1/events_pb.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { isHostError } from "#proto/wire/errors.ts";
import { clientOf, connect } from "#rpc";
import { configFor, launchBulkhead, launcher, prepareBulkhead, startBulkhead } from "../harness/bulkhead-daemon.ts";
import { Child } from "../harness/child.ts";
import { ctr } from "../harness/ctr.ts";
import { assertNothingLeft } from "../harness/leftovers.ts";
import { LineWatch } from "../harness/line-watch.ts";
import { openNotifySocket, withoutNotifySocket } from "../harness/notify-socket.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { containerdProgram, skipWithout } from "../harness/peers.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";
import { ownMountName } from "../harness/tmpfs.ts";

const needsRoot = skipWithout({ root: true });
const canUnshare = spawnSync("unshare", ["--fork", "--pid", "--mount-proc", "true"]).status === 0;
/** nobody's uid and nogroup's gid on Debian. */
const nobody = 65_534;

test("the config that stock containerd prints boots the daemon, paths apart", {
  skip: skipWithout({ peers: ["containerd"] }),
}, async () => {
  await using folder = await makeTempFolder("t");
  const { stdout } = await execa(containerdProgram("containerd"), ["config", "default"]);
  const text = stdout
    .replaceAll("/var/lib/containerd", folder.join("root"))
    .replaceAll("/run/containerd", folder.join("state"));
  const file = folder.join("config.toml");
  writeFileSync(file, text);
  await using child = new Child(launcher, ["--config", file]);
  await child.output.waitFor(/successfully booted in/);
  const { code, stdout: answer } = await ctr(folder.join("state/containerd.sock"), ["plugins", "ls"]);
  assert.equal(code, 0);
  assert.match(answer, /^io\.containerd\.metadata\.v1 +bolt +- +ok/m);
  child.kill("SIGTERM");
  assert.equal((await child.waitForExit()).code, 0, child.output.text);
  await assertNothingLeft(folder.path);
});

test("a whole life is told in containerd's lines of text, or of JSON where the config says so", async () => {
  for (const [format, reads] of [
    ["text", (line: string) => /^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z" level=[a-z]+ msg=\S/.test(line)],
    ["json", isJsonLine],
  ] as const) {
    await using daemon = await startBulkhead({ config: `debug: { format: ${format}, level: debug }\n` });
    daemon.child.kill("SIGUSR1");
    await daemon.child.output.waitFor(/(?=.*state of package)(?=.*metadata)/);
    await daemon.stop();
    const { lines } = daemon.child.output;
    assert.ok(lines.length > 10);
    assert.deepEqual(
      lines.filter((line) => !reads(line)),
      [],
    );
  }
});

function isJsonLine(line: string): boolean {
  const { time, level, msg } = JSON.parse(line) as Record<string, unknown>;
  return [time, level, msg].every((value) => typeof value === "string");
}

test("uid and gid of the config own main, ttrpc and debug sockets, which only they may open", {
  skip: needsRoot,
}, async () => {
  await using folder = await makeTempFolder("t");
  const debug = folder.join("debug.sock");
  const config = `debug: { address: ${debug}, uid: 1, gid: ${nobody} }\n`;
  const file = folder.join("config.yaml");
  writeFileSync(file, configFor(folder, config).replace(/(grpc: \{.*) \}/, `$1, uid: 1, gid: ${nobody} }`));
  await using child = launchBulkhead(folder, file);
  await child.output.waitFor(/successfully booted in/);
  for (const path of [folder.join("c.sock"), folder.join("c.sock.ttrpc"), debug]) {
    const { uid, gid, mode } = statSync(path);
    assert.deepEqual([uid, gid, mode & 0o777], [1, nobody, 0o660], path);
  }
  const { mode, uid } = statSync(folder.join("state/admin.sock"));
  assert.deepEqual([uid, mode & 0o777], [0, 0o600]);
  child.kill("SIGTERM");
  assert.equal((await child.waitForExit()).code, 0, child.output.text);
  await assertNothingLeft(folder.path);
});

test("mounts that dead generations left below the root are swept, files in the way are not", {
  skip: needsRoot,
}, async () => {
  await using folder = await makeTempFolder("t");
  await using unmounting = new AsyncDisposableStack();
  for (const name of ["a b", "deep", "deep/er"]) {
    const path = folder.join("root/tmpmounts/content-7", name);
    mkdirSync(path, { recursive: true });
    await execa("mount", ["-t", "tmpfs", ownMountName, path]);
    unmounting.defer(async () => void (await execa("umount", ["-l", path], { reject: false })));
  }
  const kept = folder.join("root/tmpmounts/content-8/file");
  mkdirSync(folder.join("root/tmpmounts/content-8"));
  writeFileSync(kept, "not a mount");
  await using _ = await startBulkhead({ folder });
  assert.doesNotMatch(readFileSync("/proc/self/mounts", "utf8"), new RegExp(folder.path));
  assert.deepEqual(readdirSync(folder.join("root/tmpmounts")), ["content-8"]);
  assert.equal(readFileSync(kept, "utf8"), "not a mount");
});

test("a stop goes against the order of the graph: who needs another ends before it", async () => {
  await using daemon = await startBulkhead({ args: ["-l", "debug"] });
  await daemon.stop();
  const { lines } = daemon.child.output;
  const lineOf = (name: string, state: string) => {
    const found = lines.findIndex((line) => line.includes(`plugin=${name} `) && line.includes(`to=${state}`));
    assert.notEqual(found, -1, `${name} was never ${state}`);
    return found;
  };
  assert.ok(lineOf("content", "ready") < lineOf("metadata", "ready"));
  assert.ok(lineOf("metadata", "stopped") < lineOf("content", "draining"));
});

test("an idle upload and a subscription hold up a stop for one grace period at most, and are told", async () => {
  const config = "packages: { content: { stop: { grace: 8s } } }\n";
  await using daemon = await startBulkhead({ config, args: ["-l", "debug"] });
  using channel = connect(daemon.address);
  const scope = { metadata: { "containerd-namespace": "idle" } };
  const idle = (async function* () {
    yield { ref: "idle" };
    await new Promise<never>(() => {});
  })();
  const upload = clientOf(Content, channel).write(idle, scope)[Symbol.asyncIterator]();
  await upload.next();
  const events = clientOf(Events, channel).subscribe({})[Symbol.asyncIterator]();
  const ends = [upload, events].map((stream) =>
    assert.rejects(stream.next(), (error) => isHostError(error, "unavailable")),
  );
  await daemon.stop();
  await Promise.all(ends);
  // What the drain waited for is not waited for again after SIGTERM.
  const timeOf = (state: string) => {
    const line = daemon.child.output.lines.find((each) => each.includes("plugin=content") && each.includes(state));
    return Date.parse(/time="([^"]+)"/.exec(line ?? "")?.[1] ?? "");
  };
  assert.ok(timeOf("to=stopping") - timeOf("to=draining") >= 8000);
  assert.ok(timeOf("to=stopped") - timeOf("to=stopping") < 7500);
});

test("SIGHUP and SIGPIPE change nothing, and SIGUSR1 has each package's state written to the log", async () => {
  await using daemon = await startBulkhead();
  for (const signal of ["SIGHUP", "SIGPIPE", "SIGUSR1"] as const) daemon.child.kill(signal);
  for (const name of ["control", "content", "events", "metadata"]) {
    await daemon.child.output.waitFor(new RegExp(`state of package.* pid=\\d+ plugin=${name} .*state=ready`));
  }
  using channel = connect(daemon.address);
  await clientOf(Version, channel).version({});
});

test("the service manager hears READY once everything had its turn, at the latest after boot.wait, then STOPPING", {
  skip: withoutNotifySocket,
}, async () => {
  await using outside = await makeTempFolder("n");
  await using folder = await makeTempFolder("t");
  const socket = outside.join("notify");
  await using manager = await openNotifySocket(socket);
  const packages = await packageFolder(folder, { broken: ["hangs-in-start"] });
  const config = `${packages}boot: { wait: 1500ms }\n`;
  const started = performance.now();
  await using daemon = await startBulkhead({ folder, config, env: { NOTIFY_SOCKET: socket } });
  await manager.heard.waitFor(/READY=1/);
  assert.ok(performance.now() - started >= 1500);
  await daemon.stop();
  await manager.heard.waitFor(/STOPPING=1/);
  assert.deepEqual(manager.heard.lines, ["bound", "READY=1", "STOPPING=1"]);
});

test("on listeners of systemd the daemon tells their addresses, and serves there", async () => {
  await using outside = await makeTempFolder("n");
  await using folder = await makeTempFolder("t");
  const paths = [outside.join("main.sock"), outside.join("shims.sock")] as const;
  const descriptors = paths.map((path) => unixListen(path, { backlog: 8, mode: 0o600 }));
  const config = folder.join("config.yaml");
  writeFileSync(config, `root: ${folder.join("root")}\nstate: ${folder.join("state")}\n`);
  const script = 'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=main:ttrpc exec "$@"';
  const words = ["-c", script, "sh", launcher, "--config", config];
  const process_ = spawn("sh", words, { stdio: ["ignore", "inherit", "pipe", ...descriptors] });
  for (const fd of descriptors) closeSync(fd);
  assert.ok(process_.stderr !== null);
  const exit = once(process_, "exit");
  const output = new LineWatch(process_.stderr);
  // These were bound aside and renamed, and keep the name they were bound to; systemd binds to the path itself.
  await output.waitFor(/to see what runs: .*--address .*\/\.main\.sock~ plugins ls/);
  await output.waitFor(/serving\.\.\. address=.*\/\.shims\.sock~/);
  using channel = connect(paths[0]);
  await clientOf(Version, channel).version({});
  process_.kill("SIGTERM");
  assert.deepEqual(await exit, [0, null]);
  await assertNothingLeft(folder.path);
});

for (const { title, required, broken, says } of [
  {
    title: "is not there",
    required: "io.containerd.grpc.v1.nothing",
    broken: [],
    says: /required plugin \[io\.containerd\.grpc\.v1\.nothing\] not included/,
  },
  {
    title: "failed",
    required: "acme.broken.v1.bad-config",
    broken: ["bad-config"],
    says: /load required plugin acme\.broken\.v1\.bad-config: .*the colour must be a colour/,
  },
]) {
  test(`a required plugin that ${title} ends the start with 1 and containerd's words`, async () => {
    await using folder = await makeTempFolder("t");
    const packages = await packageFolder(folder, { broken });
    const config = `${packages}required_plugins: [${required}]\n`;
    await using child = launchBulkhead(folder, await prepareBulkhead(folder, { config }));
    assert.equal((await child.waitForExit()).code, 1, child.output.text);
    assert.match(child.output.text, says);
    assert.doesNotMatch(child.output.text, /successfully booted/);
    await assertNothingLeft(folder.path);
  });
}

for (const moment of [
  /starting bulkhead/,
  /part started.*part=control/,
  /plugin=metadata to=starting/,
  /plugin=content to=initializing/,
  /plugin=content to=ready/,
]) {
  test(`a SIGTERM right after "${moment.source}" ends the boot with 0 and leaves nothing`, async () => {
    await using folder = await makeTempFolder("t");
    const file = await prepareBulkhead(folder);
    await using child = launchBulkhead(folder, file, { args: ["-l", "debug"] });
    await child.output.waitFor(moment);
    child.kill("SIGTERM");
    assert.equal((await child.waitForExit()).code, 0, child.output.text);
    await assertNothingLeft(folder.path);
  });
}

test("the whole daemon runs as PID 1 of a container, and SIGTERM stops it in order", {
  skip: canUnshare ? false : "cannot unshare",
}, async () => {
  await using folder = await makeTempFolder("t");
  const file = await prepareBulkhead(folder);
  const words = ["--fork", "--kill-child", "--pid", "--mount-proc", launcher, "--config", file, "daemon"];
  await using child = new Child("unshare", words);
  await child.output.waitFor(/successfully booted in/);
  using channel = connect(folder.join("c.sock"));
  await clientOf(Version, channel).version({});
  // unshare ignores SIGTERM itself, so it goes to its only child, which is PID 1 inside.
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
  process.kill(Number(children.trim()), "SIGTERM");
  assert.equal((await child.waitForExit()).code, 0, child.output.text);
  await assertNothingLeft(folder.path);
});

test("without privileges and any config the XDG folders are used, and the printed line works", {
  skip: needsRoot,
}, async () => {
  await using folder = await makeTempFolder("t");
  await chmod(folder.path, 0o755);
  for (const name of ["home", "run"]) {
    await mkdir(folder.join(name));
    await chown(folder.join(name), nobody, nobody);
  }
  const env = { PATH: process.env["PATH"], HOME: folder.join("home"), XDG_RUNTIME_DIR: folder.join("run") };
  const asNobody = ["--reuid", `${nobody}`, "--regid", `${nobody}`, "--clear-groups"];
  await using child = new Child("setpriv", [...asNobody, launcher, "daemon"], { env });
  const hint = await child.output.waitFor(/to see what runs: /);
  const words = /bulkhead (--address .*) plugins ls/.exec(hint)?.[1]?.split(" ") ?? [];
  assert.equal(words[1], folder.join("run/bulkhead/bulkhead.sock"));
  const { stdout } = await execa("setpriv", [...asNobody, launcher, ...words, "plugins", "ls"], { env });
  assert.match(stdout, /metadata .*ready/);
  assert.ok(statSync(folder.join("home/.local/share/bulkhead")).isDirectory());
  child.kill("SIGTERM");
  assert.equal((await child.waitForExit()).code, 0, child.output.text);
});
