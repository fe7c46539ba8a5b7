import assert from "node:assert/strict";
import { test } from "node:test";
import { readProcStat } from "../../../supervisor/holder/proc-stat.ts";
import { type BulkheadDaemon, startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { packageFolder } from "../../harness/package-folder.ts";
import { partPid } from "../../harness/parts.ts";
import { skipWithout } from "../../harness/peers.ts";
import { listPlugins } from "../../harness/plugin-status.ts";
import { processEnd } from "../../harness/process-end.ts";
import { steadyCalls } from "../../harness/steady-calls.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

const skip = skipWithout({ peers: ["go-echo", "go-greeter"] });

async function pidsOf(daemon: BulkheadDaemon): Promise<ReadonlyMap<string, number>> {
  const plugins = await listPlugins(daemon);
  return new Map(
    plugins.filter((plugin) => plugin.package !== "control").map((plugin) => [plugin.package, Number(plugin.pid)]),
  );
}

test("control ends at once with its holder, and stops nothing", { skip }, async () => {
  await using folder = await makeTempFolder("o");
  const config = await packageFolder(folder, { fixtures: ["go-echo"] });
  await using killed = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const pids = await pidsOf(killed);
  const control = await partPid(killed, "control");
  killed.child.kill("SIGKILL");
  await processEnd(control);
  await using calls = steadyCalls(killed.address, 1);
  await calls.after(10);
  assert.deepEqual([...calls.pids], [pids.get("go-echo")]);
  await using next = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  assert.deepEqual(await pidsOf(next), pids);
  await next.stop();
});

test("a control that stood still while its holder died is never a second one", { skip }, async () => {
  await using folder = await makeTempFolder("o");
  const config = await packageFolder(folder, { fixtures: ["go-echo"] });
  await using killed = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const before = await pidsOf(killed);
  const control = await partPid(killed, "control");
  process.kill(control, "SIGSTOP");
  killed.child.kill("SIGKILL");
  await killed.child.ended;
  await using next = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  if (isAlive(control)) process.kill(control, "SIGCONT");
  await processEnd(control);
  assert.deepEqual(await pidsOf(next), before);
  await using calls = steadyCalls(next.address, 1);
  await calls.after(10);
  assert.deepEqual(calls.failures, []);
  await next.stop();
});

for (const { title, signal, line } of [
  { title: "was killed, too", signal: "SIGKILL" as const, line: /part started.*part=router/ },
  { title: "stands still", signal: "SIGSTOP" as const, line: /cannot take over the router.*did not answer within/ },
]) {
  test(`a router that ${title} is replaced by the next daemon, who adopts all but what listens itself`, {
    skip,
  }, async () => {
    await using folder = await makeTempFolder("o");
    const config = await packageFolder(folder, { fixtures: ["go-echo", "go-greeter"] });
    await using killed = await startBulkhead({ folder, config, args: ["-l", "debug"] });
    const before = await pidsOf(killed);
    const router = await partPid(killed, "router");
    killed.child.kill("SIGKILL");
    process.kill(router, signal);
    await killed.child.ended;
    await using next = await startBulkhead({ folder, config, args: ["-l", "debug"] });
    await next.child.output.waitFor(line);
    // The ttrpc listener is another one now, which only a new instance gets.
    await next.child.output.waitFor(/plugin ready.*generation=2.*plugin=events/);
    const after = await pidsOf(next);
    assert.notEqual(after.get("events"), before.get("events"));
    for (const name of ["go-echo", "go-greeter", "content", "metadata"]) {
      assert.equal(after.get(name), before.get(name), name);
    }
    await next.stop();
  });
}

function isAlive(pid: number): boolean {
  return !["Z", undefined].includes(readProcStat(pid)?.state);
}
