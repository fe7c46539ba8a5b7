import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { statusOf, waitForState } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

const runs = { state: "starting", reason: /^$/ };

/** Versions of one package, each started on the root that the one before left. */
const steps = [
  { ...runs, data: "data: { version: 2 }" },
  { ...runs, data: "data: { version: 3, reads: [2] }" },
  { data: "data: { version: 2 }", state: "failed", reason: /version 3, and this one reads 2: .*data-versions\/keeper/ },
  { data: "", state: "failed", reason: /version 3, and this one does not say which it reads/ },
  { ...runs, data: "data: { version: 4, reads: [3] }" },
];

test("a package that cannot read what a newer one wrote is never started, and says what to do", async () => {
  await using folder = await makeTempFolder("dv");
  await mkdir(folder.join("packages/keeper"), { recursive: true });
  const config = `plugin_dirs: [${folder.join("packages")}]\nboot: { wait: 100ms }\ndebug: { level: debug }\n`;
  for (const { data, state, reason } of steps) {
    const plugin = "plugins: [{ type: acme.keeper.v1, id: keeper }]";
    const manifest = `manifest: 1\nname: keeper\nversion: 1.0.0\ncommand: [sleep, "1000"]\n${plugin}\n${data}\n`;
    await writeFile(folder.join("packages/keeper/plugin.yaml"), manifest);
    await using daemon = await startBulkhead({ folder, config });
    if (state === "starting") await waitForState(daemon, "keeper", "starting");
    const status = await statusOf(daemon, "keeper");
    assert.match(status.reason, reason, data);
    assert.equal(status.state, state, data);
  }
});
