import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Kind } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { mountBtrfs, skipWithoutBtrfs } from "../../harness/btrfs-disk.ts";
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

/** Where a snapshotter has the folders of snapshots, and where in them the files are. */
interface Layout {
  readonly folders: readonly string[];
  readonly files: string;
  /** A view of a parent is the parent itself. */
  readonly viewsAreBare?: boolean;
}

const layouts = {
  overlayfs: { folders: ["snapshots"], files: "fs" },
  native: { folders: ["snapshots"], files: "", viewsAreBare: true },
  btrfs: { folders: ["active", "view", "snapshots"], files: "" },
} as const satisfies Partial<Record<SnapshotterName, Layout>>;
type Name = keyof typeof layouts;

/** A place for roots. Owns: it. */
async function makePlace(name: Name) {
  if (name === "btrfs") return mountBtrfs();
  return makeTempFolder("kill");
}

for (const name of Object.keys(layouts) as readonly Name[]) {
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

async function runUntil(name: Name, root: string, step: number) {
  const program = join(import.meta.dirname, "crash-snapshotter.ts");
  await using child = new Child(process.execPath, [program, name, root, `${step}`]);
  const { code, signal } = await child.waitForExit();
  assert.ok(signal === "SIGKILL" || code === 0, child.output.text);
  const acknowledged = child.output.lines.filter((line) => line.startsWith("acknowledged ")).length;
  return { acknowledged, isKilled: signal === "SIGKILL" };
}

async function checkSurvivor(name: Name, root: string, acknowledged: number): Promise<void> {
  await using snapshotter = await startSnapshotter(name, root);
  const state = await stateOf(snapshotter);
  const expected = [stateAfter(acknowledged), stateAfter(acknowledged + 1)];
  assert.ok(
    expected.some((each) => JSON.stringify(each) === JSON.stringify(state)),
    `${JSON.stringify(state)} is none of ${JSON.stringify(expected)}`,
  );
  checkFiles(name, root, state);
  const before = new Set(foldersIn(name, root));
  // What is made next takes no folder of an earlier one, and everything can be taken away.
  await snapshotter.client.prepare({ key: "after", parent: state.includes("committed base on ") ? "base" : "" });
  assert.equal(foldersIn(name, root).filter((folder) => !before.has(folder)).length, 1);
  for (const each of ["after", "d", "x", "w", "v", "c", "b", "a", "top", "base"]) {
    await snapshotter.client.remove({ key: each }).catch(() => {});
  }
  await snapshotter.client.cleanup({});
  assert.deepEqual(foldersIn(name, root), []);
}

async function stateOf({ client }: TestedSnapshotter): Promise<string[]> {
  const infos = (await Array.fromAsync(client.list({}))).flatMap(({ info }) => info);
  return infos.map((info) => `${kindWords[info.kind]} ${info.name} on ${info.parent}`).sort();
}

function foldersIn(name: Name, root: string): string[] {
  return layouts[name].folders.flatMap((folder) => readdirSync(join(root, folder)).map((id) => join(root, folder, id)));
}

/** Each snapshot has its folder, and nothing else has one; the files are in the committed ones. */
function checkFiles(name: Name, root: string, state: readonly string[]): void {
  const { files: top, viewsAreBare }: Layout = layouts[name];
  const hasFolder = (line: string) => viewsAreBare !== true || !/^view . on ./.test(line);
  assert.equal(foldersIn(name, root).length, state.filter(hasFolder).length);
  const files = foldersIn(name, root).flatMap((snapshot) => {
    const folder = join(snapshot, top);
    return readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
  });
  for (const [committed, file] of [
    ["committed base on ", "a"],
    ["committed top on base", "b"],
  ] as const) {
    assert.ok(!state.includes(committed) || files.includes(file), `the file of ${committed} is gone`);
  }
}
