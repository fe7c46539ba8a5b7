import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Child } from "../../harness/child.ts";
import { scaled } from "../../harness/deadline.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { numbersFrom } from "../../differential/chance.ts";
import { startSnapshotter } from "./snapshotter.ts";

const rounds = scaled(5);
/** Lines that a process may write before it is killed. */
const longestLife = 400;

for (const name of ["overlayfs", "overlayfs-sync", "native"] as const) {
  test(`${name}: killed among many callers, again and again on one root, keeps what was acknowledged and no more`, {
    skip: skipWithout({ root: true }),
    timeout: 300_000,
  }, async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const below = numbersFrom(seed);
    await using folder = await makeTempFolder("chance");
    const said = new Map<string, string>();
    for (let round = 0; round < rounds; round++) {
      for (const [layer, word] of await live(name, folder.path, round, 1 + below(longestLife))) said.set(layer, word);
      await using snapshotter = await startSnapshotter(name, folder.path);
      const infos = (await Array.fromAsync(snapshotter.client.list({}))).flatMap(({ info }) => info);
      const there = new Set(infos.map((info) => info.name));
      for (const [layer, word] of said) {
        if (word === "there") assert.ok(there.has(layer), `${layer} was acknowledged and is gone`);
        if (word === "gone") assert.ok(!there.has(layer), `${layer} was removed and is there`);
        // It was being removed: the next round must find it as it is now.
        if (word === "going") said.set(layer, there.has(layer) ? "there" : "gone");
      }
      assert.equal(readdirSync(folder.join("snapshots")).length, infos.length);
    }
  });
}

/** Lets a process work until it has said so many lines; gives the last word on each layer. */
async function live(name: string, root: string, round: number, lines: number): Promise<Map<string, string>> {
  await using child = new Child(process.execPath, [
    join(import.meta.dirname, "busy-snapshotter.ts"),
    name,
    root,
    `${round}`,
  ]);
  await child.output.waitForNth(/^(there|going|gone) /, lines);
  child.kill("SIGKILL");
  assert.equal((await child.waitForExit()).signal, "SIGKILL", child.output.text);
  return new Map(
    child.output.lines.map((line) => {
      const [word = "", layer = ""] = line.split(" ");
      return [layer, word];
    }),
  );
}
