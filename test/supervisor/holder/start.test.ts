import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { mount, mountFlags, unixListen, unmount } from "#linux";
import { closeSync } from "node:fs";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { ask, FixtureDaemon, type FixtureOptions } from "./fixture-daemon.ts";

const needsRoot = process.getuid?.() === 0 ? false : "needs root";

/** Runs a daemon that is to refuse its start; gives its exit code and all it said. */
async function refusal(options: FixtureOptions): Promise<{ code: number | null; text: string }> {
  await using daemon = await FixtureDaemon.launch(options);
  const { code } = await daemon.child.waitForExit();
  return { code, text: daemon.child.output.text };
}

/** The first page of a bolt database: its magic stands at offset 16. */
function writeBolt(path: string): void {
  const page = Buffer.alloc(4096);
  page.writeUInt32LE(0xed0cdaed, 16);
  writeFileSync(path, page);
}

test("every problem of a config is printed, and the exit code is 78, before any folder is made", async () => {
  await using folder = await makeTempFolder("h");
  const { code, text } = await refusal({ folder, config: "oom_score: many\ndebug: { level: loud }" });
  assert.equal(code, 78);
  assert.match(text, /^bulkhead: .*config\.yaml:3.*oom_score/m);
  assert.match(text, /^bulkhead: .*config\.yaml:4.*level/m);
  assert.equal(existsSync(folder.join("state")), false);
});

test("a config whose root and state are one folder is refused", async () => {
  await using folder = await makeTempFolder("h");
  const { code, text } = await refusal({ folder, args: ["--state", folder.join("root")] });
  assert.equal(code, 78);
  assert.match(text, /^bulkhead: .*root and state must be different paths/);
});

test("a second daemon on one root says who holds it and exits 1 at once", async () => {
  await using first = await FixtureDaemon.start();
  const { folder } = first;
  const onRoot = await refusal({ folder, args: ["--state", folder.join("other")] });
  assert.equal(onRoot.code, 1);
  assert.match(
    onRoot.text,
    new RegExp(
      `^bulkhead: another bulkhead daemon \\(pid ${first.child.pid}, since 20.*Z\\) runs on root folder .*--root`,
    ),
  );
  const onState = await refusal({ folder, args: ["--root", folder.join("other-root")] });
  assert.match(onState.text, /another bulkhead daemon \(pid \d+, since .*\) runs on state folder/);
  assert.match(await ask(first.mainSocket), /^main /);
});

test("neither router nor control inherits the locks", async () => {
  await using daemon = await FixtureDaemon.start();
  for (const part of ["router", "control"] as const) {
    const inode = statSync(join(daemon.state, "bulkhead.lock")).ino;
    const folder = `/proc/${await daemon.pidOf(part)}/fd`;
    const inodes = readdirSync(folder).map((fd) => statSync(join(folder, fd), { throwIfNoEntry: false })?.ino);
    assert.ok(!inodes.includes(inode));
  }
});

test("root and state are made 0711, the socket 0660", async () => {
  await using daemon = await FixtureDaemon.start();
  assert.equal(statSync(daemon.state).mode & 0o777, 0o711);
  assert.equal(statSync(daemon.folder.join("root")).mode & 0o777, 0o711);
  assert.equal(statSync(daemon.mainSocket).mode & 0o777, 0o660);
  assert.equal(statSync(`${daemon.mainSocket}.ttrpc`).mode & 0o777, 0o660);
});

for (const database of [
  "io.containerd.metadata.v1.bolt/meta.db",
  "io.containerd.snapshotter.v1.overlayfs/metadata.db",
]) {
  test(`a root that holds containerd's ${database} is refused with nothing touched`, async () => {
    await using folder = await makeTempFolder("h");
    const path = folder.join("root", database);
    mkdirSync(join(path, ".."), { recursive: true });
    writeBolt(path);
    const { code, text } = await refusal({ folder });
    assert.equal(code, 1);
    assert.match(text, /^bulkhead: root folder .* belongs to containerd: .*\.db is a containerd database.*--root/);
    assert.deepEqual(readdirSync(folder.join("root")), [database.split("/")[0]]);
    assert.equal(existsSync(folder.join("state")), false);
  });
}

test("a file of that name that is no bolt database is no reason to refuse", async () => {
  await using folder = await makeTempFolder("h");
  mkdirSync(folder.join("root/io.containerd.metadata.v1.bolt"), { recursive: true });
  writeFileSync(folder.join("root/io.containerd.metadata.v1.bolt/meta.db"), "something of our own, long enough");
  await using _ = await FixtureDaemon.start({ folder });
});

test("a state with containerd's socket is refused, unless that is our own address", async () => {
  await using folder = await makeTempFolder("h");
  mkdirSync(folder.join("state"));
  const socket = folder.join("state/containerd.sock");
  closeSync(unixListen(socket, { backlog: 1, mode: 0o600 }));
  const { code, text } = await refusal({ folder });
  assert.equal(code, 1);
  assert.match(
    text,
    /^bulkhead: state folder .* belongs to containerd: .*containerd\.sock is a containerd socket.*--state/,
  );
  await using _ = await FixtureDaemon.start({ folder, args: ["--address", socket] });
});

test("a stale socket file is replaced", async () => {
  await using folder = await makeTempFolder("h");
  const socket = folder.join("main.sock");
  closeSync(unixListen(socket, { backlog: 1, mode: 0o600 }));
  await using _ = await FixtureDaemon.start({ folder, args: ["--address", socket] });
  assert.match(await ask(socket), /^main /);
});

test("a socket that another process serves is refused by its pid, and goes on", async () => {
  await using folder = await makeTempFolder("h");
  const socket = folder.join("main.sock");
  const server = createServer((connection) => connection.on("error", () => {}).end("other")).listen(socket);
  await once(server, "listening");
  const { code, text } = await refusal({ folder, args: ["--address", socket] });
  assert.equal(code, 1);
  assert.match(text, new RegExp(`bulkhead: ${socket} is in use: process ${process.pid} listens on it.*--address`));
  assert.equal(await ask(socket), "other");
  assert.equal(existsSync(`${socket}.ttrpc`), false);
  server.close();
});

test("a socket path of more than 104 bytes is refused in containerd's words", async () => {
  await using folder = await makeTempFolder("h");
  const socket = folder.join("x".repeat(105 - folder.path.length - 1));
  const { code, text } = await refusal({ folder, args: ["--address", socket] });
  assert.notEqual(code, 0);
  assert.match(text, /unix socket path too long \(> 104\)|104/);
});

test("a folder for the socket is made where it is missing", async () => {
  await using folder = await makeTempFolder("h");
  const socket = folder.join("deep/er/main.sock");
  await using _ = await FixtureDaemon.start({ folder, args: ["--address", socket] });
  assert.equal(statSync(folder.join("deep/er")).mode & 0o777, 0o770 & ~0o022);
  assert.match(await ask(socket), /^main /);
});

test("a root that is a file is refused with what to do", async () => {
  await using folder = await makeTempFolder("h");
  writeFileSync(folder.join("root"), "");
  const { code, text } = await refusal({ folder });
  assert.equal(code, 1);
  assert.match(text, /^bulkhead: cannot use root folder .*\((EEXIST|ENOTDIR)\); make it writable.*--root/);
});

test("a read-only root is refused with what to do", { skip: needsRoot }, async () => {
  await using folder = await makeTempFolder("h");
  const root = folder.join("root");
  mkdirSync(root);
  mount({ source: "tmpfs", target: root, type: "tmpfs", flags: mountFlags.readonly });
  try {
    const { code, text } = await refusal({ folder });
    assert.equal(code, 1);
    assert.match(text, /^bulkhead: cannot use root folder .*: read-only file system \(EROFS\); .*--root/);
  } finally {
    unmount(root);
  }
});

test("temp is made and becomes TMPDIR of what is started; an oom score is inherited", { skip: needsRoot }, async () => {
  await using folder = await makeTempFolder("h");
  const temp = folder.join("temp");
  await using daemon = await FixtureDaemon.start({ folder, config: `temp: ${temp}\noom_score: 5` });
  const control = await daemon.pidOf("control");
  assert.ok(readFileSync(`/proc/${control}/environ`, "utf8").split("\0").includes(`TMPDIR=${temp}`));
  assert.equal(readFileSync(`/proc/${control}/oom_score_adj`, "utf8"), "5\n");
  assert.ok(statSync(temp).isDirectory());
});

test("wrong flags are refused by name, help and version need no daemon", async () => {
  const wrong = await refusal({ args: ["--rot", "/x"] });
  assert.equal(wrong.code, 1);
  assert.match(wrong.text, /^bulkhead: Unknown option '--rot'; see bulkhead daemon --help$/);
  const help = await refusal({ args: ["--help"] });
  assert.equal(help.code, 0);
  assert.match(help.text, /^Usage: bulkhead/);
  assert.match((await refusal({ args: ["-v"] })).text, /^bulkhead \d+\.\d+\.\d+/);
});
