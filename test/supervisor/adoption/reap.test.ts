import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { assertNothingLeft } from "../../harness/leftovers.ts";
import { packageFolder } from "../../harness/package-folder.ts";
import { partPid } from "../../harness/parts.ts";
import { skipWithout } from "../../harness/peers.ts";
import { processEnd } from "../../harness/process-end.ts";
import { isSettled, listPlugins } from "../../harness/plugin-status.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { runCommand } from "../cli/run-command.ts";

const skip = skipWithout({ peers: ["go-echo"] });

test("reap ends everything that a daemon which died has left, and leaves a living one alone", { skip }, async () => {
  await using folder = await makeTempFolder("r");
  const config = await packageFolder(folder, { fixtures: ["go-echo"] });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const reap = (env: NodeJS.ProcessEnv) => runCommand(["--config", folder.join("config.yaml"), "reap"], { env });

  const meanwhile = await reap({});
  assert.deepEqual([meanwhile.code, meanwhile.stdout], [0, ""]);
  assert.match(meanwhile.stderr, /nothing to reap: a daemon lives/);
  assert.ok((await listPlugins(daemon)).every(isSettled));

  const control = await partPid(daemon, "control");
  daemon.child.kill("SIGKILL");
  await daemon.child.ended;
  await processEnd(control);
  const restarted = await reap({ SERVICE_RESULT: "signal", EXIT_CODE: "killed", EXIT_STATUS: "KILL" });
  assert.match(restarted.stderr, /left to the next daemon/);
  assert.ok((await listPlugins(daemon).catch(() => [])).length === 0); // control is away, the router is not

  const stopped = await reap({ SERVICE_RESULT: "timeout" });
  assert.equal(stopped.code, 0, stopped.stderr);
  assert.match(stopped.stderr, /ending an instance that was left behind.*plugin=go-echo/);
  await daemon.child.exited;
  await assertNothingLeft(folder.path);
  assert.deepEqual(
    readdirSync(daemon.state).filter((name) => name.endsWith(".sock")),
    [],
  );
  assert.equal((await reap({})).code, 0);
});

test("reap after a config that is wrong does not wait for a daemon that never comes", async () => {
  await using folder = await makeTempFolder("r");
  await using daemon = await startBulkhead({ folder, args: ["-l", "debug"] });
  daemon.child.kill("SIGKILL");
  await daemon.child.ended;
  const words = ["--config", folder.join("config.yaml"), "reap"];
  const { code, stderr } = await runCommand(words, { env: { SERVICE_RESULT: "exit-code", EXIT_STATUS: "78" } });
  assert.equal(code, 0, stderr);
  await daemon.child.exited;
  await assertNothingLeft(folder.path);
});
