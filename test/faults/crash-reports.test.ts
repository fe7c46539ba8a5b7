import assert from "node:assert/strict";
import { copyFile, mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { Echo } from "../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { fixtureFolder, skipWithout } from "../harness/peers.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { statusOf } from "../harness/plugin-status.ts";
import { showPackage, showPackageJson, untilStatus } from "../harness/status-watch.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";

const skip = skipWithout({ peers: ["go-dies-on-call", "go-echo"] });
const withMounts = skipWithout({ peers: ["go-echo"], root: true });
const callMs = 10_000;

test("a crash report tells cause, output, calls in flight, memory and what has changed, without secrets", {
  skip,
}, async () => {
  await using folder = await makeTempFolder("c");
  const config = await packageFolder(folder, { fixtures: ["go-dies-on-call"] });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  using channel = connect(daemon.address);
  const echo = clientOf(Echo, channel);
  const before = await statusOf(daemon, "go-dies-on-call");
  // Its memory is sampled within a second or two, and what it is made of is noted once it has been up for one.
  const good = folder.join("root/crashes.d/go-dies-on-call/good");
  for (const end = performance.now() + callMs; (await stat(good).catch(() => undefined)) === undefined; ) {
    assert.ok(performance.now() < end, `no ${good}`);
    await echo.fail({ code: 5, message: "a moment" }, { deadlineMs: Date.now() + callMs }).catch(() => undefined);
  }
  await writeFile(folder.join("packages/go-dies-on-call/added"), "since the last good one");

  const hanging = assert.rejects(echo.hang({}, { deadlineMs: Date.now() + callMs }), /went away during the call/);
  await daemon.child.output.waitFor(/msg="?.*hanging/);
  for (const text of ["first", "second"]) await echo.say({ text }, { deadlineMs: Date.now() + callMs });
  await assert.rejects(echo.say({ text: "third" }, { deadlineMs: Date.now() + callMs }), /went away during the call/);
  await hanging;
  await daemon.child.output.waitFor(/crash report written/);

  const { crashes } = await showPackageJson(daemon, "go-dies-on-call");
  const crash = crashes.last;
  assert.ok(crash);
  assert.equal(crash.generation, Number(before.generation));
  assert.match(crash.cause, /^exit code 2/);
  assert.equal(crash.exit.code, 2);
  assert.deepEqual(
    [crash.openCalls, crash.calls.map(({ method }) => method)],
    [2, ["/acme.echo.v1.Echo/Hang", "/acme.echo.v1.Echo/Say"]],
  );
  const [hung] = crash.calls;
  assert.match(hung?.caller ?? "", /^uid:\d+$/);
  assert.ok(
    crash.lines.some((line) => line.includes("this call is one too many")),
    crash.lines.join("\n"),
  );
  assert.ok(
    crash.lines.some((line) => line.includes("password=(hidden)")),
    crash.lines.join("\n"),
  );
  assert.ok((crash.usage[0]?.residentBytes ?? 0) > 1_000_000);
  assert.match(`${crash.manifestHash} ${crash.configHash}`, /^[0-9a-f]{64} [0-9a-f]{64}$/);
  assert.deepEqual([crash.lastGoodGeneration, crash.changes], [Number(before.generation), ["file added: added"]]);

  const [file = ""] = crashes.files;
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.doesNotMatch(await readFile(file, "utf8"), /hunter2/);
  const shown = await showPackage(daemon, "go-dies-on-call");
  assert.match(shown, /Last crash: generation 1, code 2/);
  assert.match(shown, /\/acme\.echo\.v1\.Echo\/Hang for \d+ ms, of uid:/);
  assert.ok(shown.includes(file));
});

test("a program that is replaced on disk serves on, and its next crash report names the file", { skip }, async () => {
  await using folder = await makeTempFolder("c");
  const config = await packageFolder(folder, { fixtures: ["go-echo"] });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  using channel = connect(daemon.address);
  const echo = clientOf(Echo, channel);
  const say = () => echo.say({ text: "hello" }, { deadlineMs: Date.now() + callMs });
  const good = folder.join("root/crashes.d/go-echo/good");
  for (const end = performance.now() + callMs; (await stat(good).catch(() => undefined)) === undefined; ) {
    assert.ok(performance.now() < end, `no ${good}`);
    await say();
  }
  const program = folder.join("packages/go-echo/bin/echo");
  await copyFile(`${fixtureFolder("go-echo")}/bin/echo`, `${program}.new`);
  await rename(`${program}.new`, program);
  const { pid } = await say();
  process.kill(Number(pid), "SIGKILL");
  await daemon.child.output.waitFor(/crash report written.*plugin=go-echo/);
  assert.notEqual((await say()).pid, pid);
  const { crashes } = await showPackageJson(daemon, "go-echo");
  assert.deepEqual(crashes.last?.changes, ["file bin/echo: replaced or written to"]);
});

test("no more reports are kept than crashes.files, and none when the disk is nearly full", {
  skip: withMounts,
}, async () => {
  await using folder = await makeTempFolder("c");
  await mkdir(folder.join("root"));
  await using _disk = await mountTmpfs(folder.join("root"), "128m");
  const dirs = await packageFolder(folder, { fixtures: ["go-echo"] });
  const keeps = `${dirs}crashes: { files: 2, disk_reserve: 1MiB }\npackages: { go-echo: { restart: { intensity: 0 } } }\n`;
  {
    await using daemon = await startBulkhead({ folder, config: keeps, args: ["-l", "debug"] });
    for (let crash = 1; crash <= 4; crash++) {
      process.kill(Number((await untilStatus(daemon, "go-echo", ({ state }) => state === "ready")).pid), "SIGKILL");
      await daemon.child.output.waitForNth(/crash report written/, crash);
    }
    const { crashes } = await showPackageJson(daemon, "go-echo");
    assert.deepEqual([crashes.files.length, crashes.last?.generation], [2, 4]);
    const files = await readdir(folder.join("root/crashes.d/go-echo"));
    assert.equal(files.filter((name) => name.endsWith(".json")).length, 2);
  }
  const reserves = keeps.replace("1MiB", "10GiB");
  await using daemon = await startBulkhead({ folder, config: reserves, args: ["-l", "debug"] });
  process.kill(Number((await statusOf(daemon, "go-echo")).pid), "SIGKILL");
  assert.match(
    await daemon.child.output.waitFor(/no crash report was written/),
    /crashes\.disk_reserve keeps .*make room/,
  );
  assert.equal((await untilStatus(daemon, "go-echo", ({ state }) => state === "ready")).state, "ready");
});

test("an exit shows within a second, everywhere", { skip }, async () => {
  await using folder = await makeTempFolder("c");
  const dirs = await packageFolder(folder, { fixtures: ["go-echo"] });
  const config = `${dirs}packages: { go-echo: { restart: { first: 1h } } }\n`;
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const { pid } = await statusOf(daemon, "go-echo");
  const killed = performance.now();
  process.kill(Number(pid), "SIGKILL");
  const status = await untilStatus(daemon, "go-echo", ({ state }) => state !== "ready");
  const took = performance.now() - killed;
  assert.ok(took < 1000, `${took} ms`);
  assert.deepEqual(
    [status.state, status.pid, status.lastExit?.signal, status.reason],
    ["backoff", 0n, "SIGKILL", "killed by SIGKILL"],
  );
  const dueMs = Number(status.nextAttempt?.seconds ?? 0n) * 1000 - Date.now();
  assert.ok(dueMs > 3_500_000 && dueMs < 3_700_000, `${dueMs} ms`);
});

test("on a full state folder packages run on, and a new start says that it cannot be adopted", {
  skip: withMounts,
}, async () => {
  await using folder = await makeTempFolder("c");
  await mkdir(folder.join("state"));
  await using disk = await mountTmpfs(folder.join("state"), "8m");
  const config = await packageFolder(folder, { fixtures: ["go-echo"] });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  using channel = connect(daemon.address);
  const echo = clientOf(Echo, channel);
  const say = () => echo.say({ text: "hello" }, { deadlineMs: Date.now() + callMs });
  const first = await say();
  await fill(`${disk.path}/filler`);
  assert.equal((await say()).pid, first.pid);
  process.kill(Number(first.pid), "SIGKILL");
  await daemon.child.output.waitFor(/instance cannot be adopted later: its record was not written.*plugin=go-echo/);
  assert.notEqual((await say()).pid, first.pid);
  assert.match((await showPackageJson(daemon, "go-echo")).notes.join(), /cannot be adopted by a later control/);
});

/** Writes until nothing more fits. */
async function fill(path: string): Promise<void> {
  for (const bytes of [65_536, 4096, 1]) {
    for (;;) {
      try {
        await writeFile(path, Buffer.alloc(bytes), { flag: "a" });
      } catch {
        break;
      }
    }
  }
}
