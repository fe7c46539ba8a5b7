import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Kind } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { layouts, type Layout } from "../../harness/images/snapshot-layouts.ts";
import { stateAfter } from "./kill-operations.ts";
import { startSnapshotter, type TestedSnapshotter } from "./snapshotter.ts";

const kindWords: Readonly<Record<Kind, string>> = {
  [Kind.UNKNOWN]: "?",
  [Kind.VIEW]: "view",
  [Kind.ACTIVE]: "active",
  [Kind.COMMITTED]: "committed",
};

/** The snapshotters whose ends are looked at. */
export type MortalName = keyof typeof layouts;

/**
 * Starts another process' snapshotter on a root whose last one ended after it had acknowledged so many operations, and
 * perhaps carried out the next. Everything is there, nothing else is, and all of it can be taken away.
 */
export async function checkSurvivor(name: MortalName, root: string, acknowledged: number): Promise<void> {
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

function foldersIn(name: MortalName, root: string): string[] {
  return layouts[name].folders.flatMap((folder) => readdirSync(join(root, folder)).map((id) => join(root, folder, id)));
}

/** Each snapshot has its folder, and nothing else has one; the files are in the committed ones. */
function checkFiles(name: MortalName, root: string, state: readonly string[]): void {
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
