import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { startBulkhead } from "../harness/bulkhead-daemon.ts";
import { statusOf, waitForState } from "../harness/plugin-status.ts";
import { makeTempFolder } from "../harness/temp-folder.ts";

/** What each exit before readiness comes to, and what the status says of it. */
const exits: readonly { code: number; policy?: string; state: string; reason: RegExp }[] = [
  { code: 0, policy: "transient", state: "stopped", reason: /^/ },
  { code: 0, policy: "temporary", state: "stopped", reason: /^/ },
  { code: 1, policy: "temporary", state: "stopped", reason: /^/ },
  { code: 75, state: "backoff", reason: /75|later/ },
  { code: 78, state: "failed", reason: /last words of c78/ },
  { code: 79, state: "skipped", reason: /last words of c79/ },
  { code: 126, state: "backoff", reason: /could not start/ },
  { code: 127, state: "backoff", reason: /could not start/ },
  { code: 3, state: "backoff", reason: /3.*last words of c3/ },
];

test("each exit code means what the contract says", async () => {
  await using folder = await makeTempFolder("xc");
  const name = ({ code, policy = "" }: { code: number; policy?: string }): string => `c${code}${policy.slice(0, 2)}`;
  for (const exit of exits) {
    const home = folder.join(`packages/${name(exit)}`);
    await mkdir(home, { recursive: true });
    const script = `echo last words of ${name(exit)} >&2; exit ${exit.code}`;
    const restart = exit.policy === undefined ? "{ min: 1h, max: 1h }" : `{ policy: ${exit.policy}, min: 1h, max: 1h }`;
    await writeFile(
      `${home}/plugin.yaml`,
      `manifest: 1\nname: ${name(exit)}\nversion: 1.0.0\ncommand: [sh, -c, "${script}"]\nrestart: ${restart}\n` +
        `plugins: [{ type: acme.exits.v1, id: ${name(exit)} }]\n`,
    );
  }
  await using daemon = await startBulkhead({
    folder,
    config: `plugin_dirs: [${folder.join("packages")}]\ndebug: { level: debug }\n`,
  });
  for (const { state, reason, ...exit } of exits) {
    await waitForState(daemon, name(exit), state);
    const status = await statusOf(daemon, name(exit));
    assert.equal(status.state, state, name(exit));
    assert.match(status.reason, reason, name(exit));
    assert.equal(status.lastExit?.code, exit.code, name(exit));
  }
});
