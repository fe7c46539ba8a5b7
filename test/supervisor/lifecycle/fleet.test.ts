import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { manifestDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import { ShellFleet } from "./shell-fleet.ts";

const lives = "echo >&3; exec 3>&-; exec sleep 60";
const { restart } = manifestDefaults("any", "proxy");

test("when something others wait for comes back, the whole blocked subtree starts by itself", async () => {
  await using shell = await ShellFleet.start([
    { name: "root", script: `[ -e go ] || exit 1; ${lives}`, manifest: { restart: { ...restart, maxMs: 100 } } },
    { name: "branch", script: lives, requires: ["root"] },
    { name: "leaf", script: lives, requires: ["branch"] },
    { name: "twig", script: lives, requires: ["branch", "root"] },
  ]);
  await shell.until("root", "backoff");
  assert.equal(shell.fleet.runners.get("leaf")?.state, "waiting");
  assert.match(shell.fleet.runners.get("leaf")?.reason ?? "", /^waiting for test\.v1\.branch \(branch is waiting\)$/);
  writeFileSync(shell.folder.join("go"), "");
  for (const name of ["leaf", "twig"]) await shell.until(name, "ready");
  const started = shell.changes.filter((change) => change.endsWith("> ready")).map((change) => change.split(":")[0]);
  assert.deepEqual(started.slice(0, 2), ["root", "branch"]);
});

test("a package that was put off or given up starts at once when what it requires comes back", async () => {
  await using shell = await ShellFleet.start([
    { name: "provider", script: lives },
    {
      name: "impatient",
      script: `[ -e failed-once ] && { ${lives}; }; touch failed-once; exit 1`,
      requires: ["provider"],
      manifest: { restart: { ...restart, minMs: 30_000 } },
    },
    {
      name: "wrong",
      script: `[ -e wrong-once ] && { ${lives}; }; touch wrong-once; exit 78`,
      requires: ["provider"],
    },
  ]);
  await shell.until("impatient", "backoff");
  await shell.until("wrong", "failed");
  process.kill(shell.fleet.runners.get("provider")?.view().pid ?? 0, "SIGKILL");
  await shell.until("impatient", "ready");
  await shell.until("wrong", "ready");
});

test("a killed package is started again at once, one over its intensity is failed with a next attempt", async () => {
  await using shell = await ShellFleet.start([
    { name: "one", script: lives, manifest: { restart: { ...restart, intensity: 2 } } },
  ]);
  const runner = shell.fleet.runners.get("one");
  assert.ok(runner);
  for (let life = 1; life <= 3; life++) {
    await shell.until("one", "ready");
    assert.equal(runner.generation, life);
    process.kill(runner.view().pid, "SIGKILL");
    await shell.until("one", life < 3 ? "starting" : "failed");
  }
  assert.match(runner.reason, /^killed by SIGKILL; more than 2 restarts in 60 s$/);
  assert.ok((runner.view().nextAttemptMs ?? 0) > Date.now() + 50_000);
});
