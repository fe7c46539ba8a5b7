import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { startBulkhead, type BulkheadDaemon } from "../../harness/bulkhead-daemon.ts";
import { scaled, within } from "../../harness/deadline.ts";
import { packageFolder, type PackageCopy } from "../../harness/package-folder.ts";
import { controlBooted, partPid } from "../../harness/parts.ts";
import { skipWithout } from "../../harness/peers.ts";
import { statusOf } from "../../harness/plugin-status.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

const deaths = scaled(10);
const awaySeconds = scaled(6);
const printing: readonly PackageCopy[] = [
  { name: "go-echo", edit: (manifest) => manifest.replace('"${package}"]', '"${package}", --print, "100"]') },
  { name: "python-sums", edit: (manifest) => manifest.replace('"${socket}"]', '"${socket}", "100"]') },
  { name: "rust-interop", edit: (manifest) => manifest.replace('"${socket}"]', '"${socket}", "100"]') },
];
const names = printing.map(({ name }) => name);

test("packages that print 100 lines a second live through deaths of control, and one that lasts", {
  skip: skipWithout({ peers: names }),
}, async () => {
  await using folder = await makeTempFolder("pr");
  const config = await packageFolder(folder, { fixtures: printing });
  await using daemon = await startBulkhead({ folder, config, args: ["-l", "debug"] });
  const before = await pidsOf(daemon);
  for (let death = 1; death <= deaths; death++) {
    process.kill(await partPid(daemon, "control", death), "SIGKILL");
    await controlBooted(daemon, death + 1);
  }
  // A holder that stands still starts nobody.
  const control = await partPid(daemon, "control", deaths + 1);
  daemon.child.kill("SIGSTOP");
  process.kill(control, "SIGKILL");
  await once(spawn("sleep", [String(awaySeconds)]), "exit");
  await Promise.all(names.map((name) => within(`${name} prints on`, growth(daemon, name))));
  daemon.child.kill("SIGCONT");
  await controlBooted(daemon, deaths + 2);
  assert.deepEqual(await pidsOf(daemon), before);
  const seen = daemon.child.output.lines.length;
  for (const name of names) {
    const line = new RegExp(`msg="line \\d+" plugin=${name}`);
    const nth = daemon.child.output.lines.slice(0, seen).filter((each) => line.test(each)).length + 1;
    await daemon.child.output.waitForNth(line, nth);
  }
});

async function pidsOf(daemon: BulkheadDaemon): Promise<readonly bigint[]> {
  return Promise.all(names.map(async (name) => (await statusOf(daemon, name)).pid));
}

/** Resolves when a package's log has grown. */
async function growth(daemon: BulkheadDaemon, name: string): Promise<void> {
  const log = `${daemon.state}/log/${name}.1`;
  const { size } = statSync(log);
  while (statSync(log).size === size) await nextTurn();
}
