import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Kind } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { Child } from "../../harness/child.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { operations, stateAfter } from "./kill-operations.ts";
import { startSnapshotter, type SnapshotterName, type TestedSnapshotter } from "./snapshotter.ts";

/** The process is killed at each step of each operation; the next one finds all that was acknowledged, and no more. */

const kindWords: Readonly<Record<Kind, string>> = {
  [Kind.UNKNOWN]: "?",
  [Kind.VIEW]: "view",
  [Kind.ACTIVE]: "active",
  [Kind.COMMITTED]: "committed",
};

/** More than any snapshotter has for the operations. */
const stepLimit = 100;

for (const name of ["overlayfs", "native"] as const) {
  test(`${name}: no step is bad to die at`, { skip: skipWithout({ root: true }), timeout: 300_000 }, async (t) => {
    for (let step = 1; step < stepLimit; step++) {
      await using folder = await makeTempFolder("kill");
      const { acknowledged, isKilled } = await runUntil(name, folder.path, step);
      if (!isKilled) {
        assert.ok(step > operations.length, `only ${step} steps`);
        return;
      }
      await t.test(`step ${step}, ${acknowledged} operations acknowledged`, () =>
        checkSurvivor(name, folder.path, acknowledged),
      );
    }
    assert.fail("the process never came to its end");
  });
}

async function runUntil(name: SnapshotterName, root: string, step: number) {
  const program = join(import.meta.dirname, "crash-snapshotter.ts");
  await using child = new Child(process.execPath, [program, name, root, `${step}`]);
  const { code, signal } = await child.waitForExit();
  assert.ok(signal === "SIGKILL" || code === 0, child.output.text);
  const acknowledged = child.output.lines.filter((line) => line.startsWith("acknowledged ")).length;
  return { acknowledged, isKilled: signal === "SIGKILL" };
}

async function checkSurvivor(name: SnapshotterName, root: string, acknowledged: number): Promise<void> {
  await using snapshotter = await startSnapshotter(name, root);
  const state = await stateOf(snapshotter);
  const expected = [stateAfter(acknowledged), stateAfter(acknowledged + 1)];
  assert.ok(
    expected.some((each) => JSON.stringify(each) === JSON.stringify(state)),
    `${JSON.stringify(state)} is none of ${JSON.stringify(expected)}`,
  );
  checkFiles(name, root, state);
  const before = new Set(foldersIn(root));
  // What is made next takes no folder of an earlier one, and everything can be taken away.
  await snapshotter.client.prepare({ key: "after", parent: state.includes("committed base on ") ? "base" : "" });
  assert.equal(foldersIn(root).filter((folder) => !before.has(folder)).length, 1);
  for (const each of ["after", "d", "x", "w", "v", "c", "b", "a", "top", "base"]) {
    await snapshotter.client.remove({ key: each }).catch(() => {});
  }
  await snapshotter.client.cleanup({});
  assert.deepEqual(foldersIn(root), []);
}

async function stateOf({ client }: TestedSnapshotter): Promise<string[]> {
  const infos = (await Array.fromAsync(client.list({}))).flatMap(({ info }) => info);
  return infos.map((info) => `${kindWords[info.kind]} ${info.name} on ${info.parent}`).sort();
}

function foldersIn(root: string): string[] {
  return readdirSync(join(root, "snapshots")).sort();
}

/** Each snapshot has its folder, and nothing else has one; the files are in the committed ones. */
function checkFiles(name: SnapshotterName, root: string, state: readonly string[]): void {
  const hasFolder = (line: string) => name !== "native" || !/^view . on ./.test(line);
  assert.equal(foldersIn(root).length, state.filter(hasFolder).length);
  const files = foldersIn(root).flatMap((folder) => {
    const top = join(root, "snapshots", folder, name === "native" ? "" : "fs");
    return readdirSync(top).map((file) => readFileSync(join(top, file), "utf8"));
  });
  for (const [committed, file] of [
    ["committed base on ", "a"],
    ["committed top on base", "b"],
  ] as const) {
    assert.ok(!state.includes(committed) || files.includes(file), `the file of ${committed} is gone`);
  }
}
