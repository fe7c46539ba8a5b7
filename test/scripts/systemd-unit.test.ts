import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { type BulkheadDaemon, launcher, startBulkhead } from "../harness/bulkhead-daemon.ts";
import { Child } from "../harness/child.ts";
import { assertNothingLeft } from "../harness/leftovers.ts";
import { openNotifySocket, withoutNotifySocket } from "../harness/notify-socket.ts";
import { listPlugins } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const unitFile = resolve(import.meta.dirname, "../../scripts/systemd/bulkhead.service");
const installedLauncher = "/usr/bin/bulkhead";
const noSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0 ? false : "needs systemd-analyze";

/** Values of a key of the unit, in order. */
function valuesOf(key: string): string[] {
  const lines = readFileSync(unitFile, "utf8").split("\n");
  return lines.flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
}

/** Words of the unit's command with the checkout's launcher. */
function commandOf(key: string): string[] {
  return (valuesOf(key)[0] ?? "").replace(installedLauncher, launcher).split(" ");
}

/** Runs the unit's ExecStopPost as systemd does after `result`. */
async function stopPost(config: string, result: string, status: string): Promise<string> {
  const [command = "", ...words] = commandOf("ExecStopPost");
  const env = { ...process.env, SERVICE_RESULT: result, EXIT_STATUS: status };
  await using child = new Child(command, ["--config", config, ...words], { env });
  assert.equal((await child.waitForExit()).code, 0, child.output.text);
  return child.output.text;
}

test("systemd finds nothing wrong with the unit", { skip: noSystemd }, async () => {
  await using folder = await makeTempFolder("u");
  const unit = folder.join("bulkhead.service");
  writeFileSync(unit, readFileSync(unitFile, "utf8").replaceAll(installedLauncher, launcher));
  const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", unit], { encoding: "utf8" });
  const own = stderr.split("\n").filter((line) => line.includes("bulkhead"));
  assert.deepEqual([status, own], [0, []]);
});

test("the unit says what the daemon's promises rest on", () => {
  const expected = {
    Type: "notify",
    KillMode: "process",
    Delegate: "yes",
    RestartPreventExitStatus: "78",
    Restart: "on-failure",
    ExecStart: `${installedLauncher} daemon`,
    ExecStopPost: `${installedLauncher} reap`,
    WatchdogSec: "30s",
  };
  for (const [key, value] of Object.entries(expected)) assert.deepEqual(valuesOf(key), [value], key);
});

test("as the unit runs it: ready, alive, killed and taken over by the next, stopped, and nothing left", {
  skip: withoutNotifySocket,
}, async () => {
  await using folder = await makeTempFolder("u");
  await using elsewhere = await makeTempFolder("u");
  const socket = elsewhere.join("notify");
  await using manager = await openNotifySocket(socket);
  const { heard } = manager;
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "200000" };
  const start = (): Promise<BulkheadDaemon> => startBulkhead({ folder, env });
  const pidsOf = async (daemon: BulkheadDaemon): Promise<unknown[]> =>
    (await listPlugins(daemon)).flatMap(({ package: name, pid }) => (name === "control" ? [] : [[name, pid]]));
  const config = folder.join("config.yaml");

  await using killed = await start();
  await heard.waitFor(/^READY=1$/);
  await heard.waitForNth(/^WATCHDOG=1$/, 2);
  const pids = await pidsOf(killed);
  killed.child.kill("SIGKILL");
  await killed.child.ended;
  assert.match(await stopPost(config, "signal", "KILL"), /left to the next daemon/);

  await using next = await start();
  await heard.waitForNth(/^READY=1$/, 2);
  assert.deepEqual(await pidsOf(next), pids);
  await next.stop();
  await heard.waitFor(/^STOPPING=1$/);
  assert.equal(await stopPost(config, "success", "0"), "");
  await assertNothingLeft(folder.path);
});
