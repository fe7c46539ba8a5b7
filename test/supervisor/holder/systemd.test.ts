import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { unixListen } from "#linux";
import { within } from "../../harness/deadline.ts";
import { LineWatch } from "../../harness/line-watch.ts";
import { openNotifySocket, withoutNotifySocket } from "../../harness/notify-socket.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";
import { ask, FixtureDaemon } from "./fixture-daemon.ts";

const entry = resolve(import.meta.dirname, "../../fixtures/holder/daemon.ts");
test("the service manager hears READY, WATCHDOG and STOPPING", { skip: withoutNotifySocket }, async () => {
  await using folder = await makeTempFolder("h");
  const socket = folder.join("notify");
  await using manager = await openNotifySocket(socket);
  const { heard } = manager;
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "100000" };
  await using daemon = await FixtureDaemon.start({ folder, env });
  await heard.waitFor(/READY=1/);
  await heard.waitFor(/WATCHDOG=1/);
  assert.equal(await daemon.stop(), 0);
  await heard.waitFor(/STOPPING=1/);
  assert.equal(heard.lines.filter((line) => line === "READY=1").length, 1);
});

test("a notify socket that nobody reads is only a warning", async () => {
  await using daemon = await FixtureDaemon.start({ env: { NOTIFY_SOCKET: "/nonexistent/notify" } });
  await daemon.child.output.waitFor(/level=warning msg="sd notification failed"/);
});

/** Runs a daemon under a shell that gives it descriptors as systemd does. */
function activate(folder: TempFolder, names: string, descriptors: readonly number[]) {
  const config = folder.join("config.yaml");
  writeFileSync(config, `root: ${folder.join("root")}\nstate: ${folder.join("state")}\n`);
  const script = `LISTEN_PID=$$ LISTEN_FDS=${descriptors.length} LISTEN_FDNAMES=${names} exec "$@"`;
  const words = ["-c", script, "sh", process.execPath, entry, "-c", config, "-l", "debug"];
  const daemon = spawn("sh", words, { stdio: ["ignore", "inherit", "pipe", ...descriptors] });
  assert.ok(daemon.stderr !== null);
  return { daemon, output: new LineWatch(daemon.stderr) };
}

test("listeners of systemd are served, and their files are left alone at the stop", async () => {
  await using folder = await makeTempFolder("h");
  const paths = [folder.join("t.sock"), folder.join("m.sock")] as const;
  const descriptors = paths.map((path) => unixListen(path, { backlog: 8, mode: 0o600 }));
  const { daemon, output } = activate(folder, "ttrpc:main", descriptors);
  for (const fd of descriptors) closeSync(fd);
  const exit = once(daemon, "exit");
  await output.waitFor(/part ready.*part=router/);
  assert.match(await within("an answer", ask(paths[1])), /^main \d+$/);
  assert.equal(existsSync(join(folder.path, "state/bulkhead.sock")), false);
  daemon.kill();
  assert.deepEqual(await exit, [0, null]);
  assert.ok(paths.every((path) => existsSync(path)));
});

test("a descriptor of systemd that is no listener is refused", async () => {
  await using folder = await makeTempFolder("h");
  const fd = openSync("/dev/null", "r");
  const { daemon, output } = activate(folder, "main", [fd]);
  closeSync(fd);
  assert.deepEqual(await once(daemon, "exit"), [1, null]);
  await output.waitFor(/bulkhead: descriptor 3 \(main\) of LISTEN_FDS is not a listening socket/);
});
