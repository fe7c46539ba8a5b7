import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type BulkheadDaemon, startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { packageFolder } from "../../harness/package-folder.ts";
import { controlBooted, partPid } from "../../harness/parts.ts";
import { fixtureFolder, skipWithout } from "../../harness/peers.ts";
import { listPlugins, statusOf } from "../../harness/plugin-status.ts";
import { processEnd } from "../../harness/process-end.ts";
import { steadyCalls } from "../../harness/steady-calls.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

const skip = skipWithout({ peers: ["go-echo", "go-greeter"] });

/** Ten times the promised 300 ms from control's start until 50 packages are adopted. */
const adoptedWithinMs = 3000;

async function pidsOf(daemon: BulkheadDaemon): Promise<ReadonlyMap<string, number>> {
  return new Map((await listPlugins(daemon)).map((plugin) => [plugin.package, Number(plugin.pid)]));
}

/** Kills the nth control and waits until the next has booted. */
async function replaceControl(daemon: BulkheadDaemon, nth = 1): Promise<void> {
  process.kill(await partPid(daemon, "control", nth), "SIGKILL");
  await controlBooted(daemon, nth + 1);
}

test("a new control restarts what changed meanwhile, and nothing else", { skip }, async () => {
  await using folder = await makeTempFolder("a");
  const config = await packageFolder(folder, { fixtures: ["go-echo", "go-greeter"] });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const before = await pidsOf(daemon);
  const manifest = folder.join("packages", "go-echo", "plugin.yaml");
  await writeFile(manifest, (await readFile(manifest, "utf8")).replace("1.0.0", "1.0.1"));
  await using calls = steadyCalls(daemon.address, 2);
  await calls.after(10);
  await replaceControl(daemon);
  await daemon.child.output.waitForNth(/plugin ready.*generation=2.*plugin=go-echo/, 1);
  await calls.after(10);
  assert.deepEqual(calls.failures, []);
  const after = await pidsOf(daemon);
  assert.notEqual(after.get("go-echo"), before.get("go-echo"));
  for (const name of ["go-greeter", "metadata", "events", "content"]) assert.equal(after.get(name), before.get(name));
});

test("an adopted package that is killed is started again at once, its signal known from the holder", {
  skip,
}, async () => {
  await using folder = await makeTempFolder("a");
  const config = await packageFolder(folder, { fixtures: ["go-echo"] });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  await replaceControl(daemon);
  const adopted = await statusOf(daemon, "go-echo");
  process.kill(Number(adopted.pid), "SIGKILL");
  await daemon.child.output.waitFor(/plugin ready.*generation=2.*plugin=go-echo/);
  const status = await statusOf(daemon, "go-echo");
  assert.deepEqual([status.state, status.lastExit?.signal, status.restarts], ["ready", "SIGKILL", 1n]);
});

test("records that are corrupt or a stranger's are told apart, and no stranger is signalled", { skip }, async () => {
  await using folder = await makeTempFolder("a");
  const config = await packageFolder(folder, { fixtures: ["go-echo", "go-greeter"] });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const before = await pidsOf(daemon);
  const control = await partPid(daemon, "control");
  process.kill(control, "SIGSTOP"); // so that it does not write meanwhile
  const path = (name: string): string => join(daemon.state, "records", `${name}.json`);
  const record = JSON.parse(await readFile(path("go-echo"), "utf8")) as Record<string, unknown>;
  // This test is the stranger: were it signalled, the test would not end.
  const stat = await readFile("/proc/self/stat", "utf8");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  await writeFile(path("go-echo"), JSON.stringify({ ...record, pid: process.pid, startTime }));
  await writeFile(path("go-greeter"), "{ torn");
  process.kill(control, "SIGKILL");
  await controlBooted(daemon, 2);
  const { output } = daemon.child;
  await output.waitFor(/not adopted, and left alone.*plugin=go-echo.*does not run the package's program/);
  await output.waitFor(/a record of an instance is corrupt and was removed.*plugin=go-greeter/);
  const after = await pidsOf(daemon);
  assert.equal(after.get("metadata"), before.get("metadata"));
  for (const name of ["go-echo", "go-greeter"]) {
    assert.equal((await statusOf(daemon, name)).state, "ready");
    assert.notEqual(after.get(name), before.get(name));
    await processEnd(before.get(name) ?? 0); // its environment tells that it was ours
  }
});

test("fifty packages are adopted in a moment", { skip }, async () => {
  await using folder = await makeTempFolder("a");
  const binary = join(fixtureFolder("go-echo"), "bin", "echo");
  const config = await packageFolder(folder, {
    broken: Array.from({ length: 50 }, (_, index) => ({
      name: `echo-${index}`,
      from: "no-command",
      edit: () =>
        [
          `manifest: 1\nname: echo-${index}\nversion: 1.0.0`,
          `command: [${binary}, --listen, "\${socket}", --name, "\${package}"]`,
          `plugins: [{ type: acme.fifty.v1, id: "e${index}" }]\n`,
        ].join("\n"),
    })),
  });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const before = await pidsOf(daemon);
  assert.equal([...before.keys()].filter((name) => name.startsWith("echo-")).length, 50);
  await replaceControl(daemon);
  assert.deepEqual(await pidsOf(daemon), new Map([...before, ["control", await partPid(daemon, "control", 2)]]));
  const { output } = daemon.child;
  const timeOf = (line: string): number => Date.parse(/time="([^"]+)"/.exec(line)?.[1] ?? "");
  const started = timeOf(await output.waitForNth(/part started.*part=control/, 2));
  const adopted = timeOf(await output.waitForNth(/plugin adopted.*plugin=echo-/, 50));
  assert.ok(adopted - started < adoptedWithinMs, `${adopted - started} ms`);
});
