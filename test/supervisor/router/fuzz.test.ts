import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { scaled } from "../../harness/deadline.ts";
import { FuzzRun, mayGrowBytes } from "./harness/fuzz/fuzz-run.ts";

/** One seed that stays and one that is new each time; the fuzzer's failures say which it was. */
const seeds = { fixed: 1, fresh: randomInt(2 ** 32) };

for (const [kind, seed] of Object.entries(seeds)) {
  test(`hostile clients and packages harm nobody but themselves, with a ${kind} seed`, async (t) => {
    t.diagnostic(`seed ${seed}`);
    await using run = await FuzzRun.start();
    // What the first frames leave behind is no leak: code is compiled, pools fill.
    await run.round(seed, scaled(20_000));
    const before = run.anonymousBytes;
    await run.round(seed + 1, scaled(30_000));
    const grown = run.anonymousBytes - before;
    assert.ok(grown < mayGrowBytes, `seed ${seed}: the router grew by ${grown} bytes`);
  });
}
