import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Echo } from "../fixtures/gen/acme/echo/v1/echo_pb.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { processesOf } from "../harness/chaos/processes.ts";
import { packageFolder } from "../harness/package-folder.ts";
import { skipWithout } from "../harness/peers.ts";
import { listPlugins } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

/** Longer than any watchdog of the test waits, the holder's over its parts included. */
const standstillSeconds = 5;

test("when every process stood still for a while, as on a suspended machine, nobody is replaced for it", {
  skip: skipWithout({ peers: ["go-echo"] }),
}, async () => {
  await using folder = await makeTempFolder("su");
  const packages = await packageFolder(folder, { fixtures: ["go-echo"] });
  const watchdog = "{ watchdog: { interval: 300ms, misses: 3 } }";
  const config = `${packages}packages: { go-echo: ${watchdog}, content: ${watchdog} }\n`;
  await using daemon = await startBulkhead({ folder, config });
  const pids = async () => (await processesOf(folder.path)).map(({ name, pid }) => `${name} ${pid}`).toSorted();
  const before = await pids();
  const all = (await processesOf(folder.path)).map(({ pid }) => pid);
  for (const pid of all) process.kill(pid, "SIGSTOP");
  await once(spawn("sleep", [String(standstillSeconds)]), "exit");
  for (const pid of all) process.kill(pid, "SIGCONT");
  using channel = connect(daemon.address);
  assert.equal((await clientOf(Echo, channel).say({ text: "on" })).text, "on");
  // Whoever would be blamed for the time of standing still is blamed by the next watchdogs' rounds.
  await once(spawn("sleep", ["3"]), "exit");
  assert.deepEqual(await pids(), before);
  assert.deepEqual(
    (await listPlugins(daemon)).filter(({ restarts }) => restarts > 0n),
    [],
  );
});
