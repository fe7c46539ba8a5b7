import assert from "node:assert/strict";
import { test } from "node:test";
import { manifestDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import { isCrash, wasAsked } from "../../../supervisor/crash/crash.ts";
import { initialMachine } from "../../../supervisor/lifecycle/transitions.ts";
import type { Machine } from "../../../supervisor/lifecycle/states.ts";

type Policy = "permanent" | "transient" | "temporary";

function crashed(machine: Partial<Machine>, code: number | undefined, policy: Policy = "permanent"): boolean {
  const base = manifestDefaults("acme", "proxy");
  return isCrash({
    machine: { ...initialMachine("declared", ""), state: "ready", ...machine },
    exit: { code, signal: code === undefined ? "SIGSEGV" : undefined, lastLine: "" },
    manifest: { ...base, restart: { ...base.restart, policy } },
  });
}

test("an end that nobody asked for is a crash, but for the orderly exits of the contract", () => {
  assert.ok(crashed({}, undefined));
  assert.ok(crashed({}, 1));
  assert.ok(crashed({ state: "starting" }, 127));
  for (const code of [75, 78, 79]) assert.equal(crashed({}, code), false, String(code));
});

test("exit code 0 is a crash only of what should never end", () => {
  assert.deepEqual(
    (["permanent", "transient", "temporary"] as const).map((policy) => crashed({}, 0, policy)),
    [true, false, false],
  );
});

test("a stop, a restart and what Init refuses are asked for; a stall and a start that takes too long are not", () => {
  const asked = (["start", "stopped", "skipped", "failed", "restart", "failed-start"] as const).map((afterExit) =>
    wasAsked({ ...initialMachine("declared", ""), state: "stopping", afterExit }),
  );
  assert.deepEqual(asked, [true, true, true, true, false, false]);
  assert.ok(crashed({ state: "stopping", afterExit: "restart" }, undefined));
  assert.equal(crashed({ state: "draining", afterExit: "stopped" }, 1), false);
});
