import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { mountBtrfs, skipWithoutBtrfs } from "../../harness/btrfs-disk.ts";
import { Child } from "../../harness/child.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { operations } from "./kill-operations.ts";
import { layouts } from "../../harness/images/snapshot-layouts.ts";
import { checkSurvivor, type MortalName } from "./survivors.ts";

/** The process is killed at each step of each operation; the next one finds all that was acknowledged, and no more. */

/** More than any snapshotter has for the operations. */
const stepLimit = 100;

/** A place for roots. Owns: it. */
async function makePlace(name: MortalName) {
  if (name === "btrfs") return mountBtrfs();
  return makeTempFolder("kill");
}

for (const name of Object.keys(layouts) as readonly MortalName[]) {
  const skip = name === "btrfs" ? skipWithoutBtrfs() : skipWithout({ root: true });
  test(`${name}: no step is bad to die at`, { skip, timeout: 300_000 }, async (t) => {
    await using place = await makePlace(name);
    for (let step = 1; step < stepLimit; step++) {
      const root = join(place.path, `${step}`);
      const { acknowledged, isKilled } = await runUntil(name, root, step);
      if (!isKilled) {
        assert.ok(step > operations.length, `only ${step} steps`);
        return;
      }
      await t.test(`step ${step}, ${acknowledged} operations acknowledged`, () =>
        checkSurvivor(name, root, acknowledged),
      );
    }
    assert.fail("the process never came to its end");
  });
}

async function runUntil(name: MortalName, root: string, step: number) {
  const program = join(import.meta.dirname, "crash-snapshotter.ts");
  await using child = new Child(process.execPath, [program, name, root, `${step}`]);
  const { code, signal } = await child.waitForExit();
  assert.ok(signal === "SIGKILL" || code === 0, child.output.text);
  const acknowledged = child.output.lines.filter((line) => line.startsWith("acknowledged ")).length;
  return { acknowledged, isKilled: signal === "SIGKILL" };
}
