import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { defaultCrashLimits } from "../../../supervisor/config/config-defaults.ts";
import { CrashFiles } from "../../../supervisor/crash/crash-files.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";

let folder: TempFolder;
let count = 0;

before(async () => {
  folder = await makeTempFolder("cf");
});
after(() => folder[Symbol.asyncDispose]());

const nextRoot = (): string => folder.join(`root${++count}`);

test("files are private, and listed newest first, by a later daemon too", () => {
  const root = nextRoot();
  const files = new CrashFiles(root, defaultCrashLimits);
  const first = files.write("acme", 1, 1000, "{}") ?? "";
  const second = files.write("acme", 2, 2000, "{}") ?? "";
  files.write("other", 1, 3000, "{}");
  assert.deepEqual(files.list("acme"), [second, first]);
  assert.deepEqual([statSync(first).mode & 0o777, statSync(files.folderOf("acme")).mode & 0o777], [0o600, 0o700]);
  assert.deepEqual(new CrashFiles(root, defaultCrashLimits).list("acme"), [second, first]);
});

test("of one package the oldest go first, the others' stay", () => {
  const files = new CrashFiles(nextRoot(), { ...defaultCrashLimits, files: 2 });
  const other = files.write("other", 1, 1, "{}");
  const kept = [1, 2, 3, 4].map((at) => files.write("acme", at, at * 1000, "{}")).slice(2);
  assert.deepEqual(files.list("acme").reverse(), kept);
  assert.deepEqual(files.list("other"), [other]);
});

test("the size of all is bounded: the oldest of any package go", () => {
  const files = new CrashFiles(nextRoot(), { ...defaultCrashLimits, totalBytes: 2500 });
  const text = "x".repeat(1000);
  files.write("one", 1, 1000, text);
  const second = files.write("two", 1, 2000, text);
  const third = files.write("three", 1, 3000, text);
  assert.deepEqual(
    ["one", "two", "three"].map((name) => files.list(name)),
    [[], [second], [third]],
  );
});

test("0 files turn reports off, and one that is too large is not written", () => {
  assert.equal(new CrashFiles(nextRoot(), { ...defaultCrashLimits, files: 0 }).write("acme", 1, 1, "{}"), undefined);
  assert.equal(
    new CrashFiles(nextRoot(), { ...defaultCrashLimits, fileBytes: 3 }).write("acme", 1, 1, "{  }"),
    undefined,
  );
});

test("a disk that is nearly full takes no report, with what to do", () => {
  const files = new CrashFiles(nextRoot(), { ...defaultCrashLimits, reserveBytes: Number.MAX_SAFE_INTEGER });
  assert.throws(
    () => files.write("acme", 1, 1, "{}"),
    /bytes left, of which crashes\.disk_reserve keeps \d+: make room, or lower it/,
  );
  assert.deepEqual(files.list("acme"), []);
});

test("what is no crash file of ours is neither listed nor removed", () => {
  const files = new CrashFiles(nextRoot(), { ...defaultCrashLimits, files: 1 });
  const only = files.write("acme", 1, 1000, "{}") ?? "";
  const foreign = `${files.folderOf("acme")}/notes.json`;
  writeFileSync(foreign, "mine");
  files.write("acme", 2, 2000, "{}");
  assert.equal(files.list("acme").includes(only), false);
  assert.ok(statSync(foreign).isFile());
});
