import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { realClock } from "../../../supervisor/clock.ts";
import { manifestDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import { linuxSystem } from "../../../supervisor/lifecycle/system.ts";
import { isSameProcess } from "../../../supervisor/process/process-identity.ts";
import { linuxProcesses } from "../../../supervisor/process/process-table.ts";
import { ShellFleet } from "./shell-fleet.ts";

const lives = "echo >&3; exec 3>&-; exec sleep 60";

test("an instance without a record is ended before the next one of a singleton starts", async () => {
  await using before = await ShellFleet.start([{ name: "lost", script: lives, manifest: { singleton: true } }]);
  await before.until("lost", "ready");
  const old = before.fleet.runners.get("lost")?.process?.process?.identity;
  assert.ok(old !== undefined && isSameProcess(old));
  rmSync(before.folder.join("state", "records", "lost.json"));

  const after = before.successor();
  await after.takeUp();
  await after.until("lost", "ready");
  assert.equal(after.fleet.runners.get("lost")?.generation, 2);
  assert.equal(isSameProcess(old), false);
  await after.fleet.stop();
});

test("only a process that was started for a socket is found by it", async () => {
  await using shell = await ShellFleet.start([{ name: "found", script: lives }]);
  await shell.until("found", "ready");
  const { socket = "", process: instance } = shell.fleet.runners.get("found") ?? {};
  assert.deepEqual(linuxProcesses.startedFor(socket), [instance?.pid]);
  assert.deepEqual(linuxProcesses.startedFor(`${socket}x`), []);
});

test("a restart or a stop by command waits until the old instance is settled", async () => {
  await using shell = await ShellFleet.start([{ name: "one", script: lives }]);
  await shell.until("one", "ready");
  const { fleet } = shell;
  for (const [title, command] of [
    ["restart", () => fleet.restart("one", AbortSignal.timeout(10_000))],
    ["stop", () => fleet.stop()],
  ] as const) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const settling = fleet.settleFirst("one", promise);
    const changes = shell.changes.length;
    const commanded = command();
    await new Promise(setImmediate);
    assert.equal(shell.changes.length, changes, title);
    resolve();
    await settling;
    await commanded;
    assert.ok(shell.changes.length > changes, title);
  }
});

test("once a stop has begun nothing is started, whatever is settled later", async () => {
  await using shell = await ShellFleet.start([{ name: "one", script: lives }]);
  await shell.until("one", "ready");
  const { fleet } = shell;
  const stopped = fleet.stop();
  const restarted = fleet.restart("one", AbortSignal.timeout(10_000));
  await assert.rejects(restarted, /^HostError: restart one: the daemon is stopping$/);
  await stopped;
  fleet.startOrRenew("one");
  assert.equal(fleet.runners.get("one")?.state, "stopped");
});

test("restarts are counted by the time that passed, whatever the wall clock says", async () => {
  let wallMs = Date.now();
  const system = { ...linuxSystem, clock: { ...realClock, now: () => wallMs } };
  const restart = { ...manifestDefaults("any", "proxy").restart, intensity: 1, periodMs: 1 };
  await using shell = await ShellFleet.start([{ name: "one", script: lives, manifest: { restart } }], system);
  for (let life = 1; life <= 4; life++) {
    await shell.until("one", "ready");
    const runner = shell.fleet.runners.get("one");
    assert.equal(runner?.generation, life);
    wallMs -= 3_600_000;
    process.kill(runner.view().pid, "SIGKILL");
    await shell.until("one", "starting");
  }
});
