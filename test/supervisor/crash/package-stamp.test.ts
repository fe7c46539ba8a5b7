import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { manifestDefaults } from "../../../supervisor/config/manifest-defaults.ts";
import { describeChanges, stampPackage } from "../../../supervisor/crash/package-stamp.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

test("what differs between two generations is named: versions, manifest, config, files", async () => {
  await using folder = await makeTempFolder("st");
  mkdirSync(folder.join("bin"));
  for (const name of ["plugin.yaml", "bin/acme", "gone"]) writeFileSync(folder.join(name), "1");
  const manifest = { ...manifestDefaults("acme", "proxy"), folder: folder.path, version: "1.0.0" };
  const before = stampPackage(manifest, 1, "{}");
  assert.deepEqual(describeChanges(before, stampPackage(manifest, 2, "{}")), []);

  writeFileSync(folder.join("bin/acme"), "another program");
  writeFileSync(folder.join("new"), "");
  rmSync(folder.join("gone"));
  const changed = stampPackage({ ...manifest, version: "1.1.0", env: { A: "b" } }, 3, '{"size":2}');
  assert.deepEqual(describeChanges({ ...before, hostVersion: "0.0.1" }, changed), [
    `bulkhead: 0.0.1 then, ${before.hostVersion} now`,
    "version: 1.0.0 then, 1.1.0 now",
    "the manifest, or what the config overrides of it",
    "the config of its plugins",
    "file bin/acme: replaced or written to",
    "file gone: removed",
    "file new: added",
  ]);
});

test("many changed files are counted, not listed, and a folder without end is cut off", async () => {
  await using folder = await makeTempFolder("st");
  const manifest = { ...manifestDefaults("acme", "proxy"), folder: folder.path };
  const before = stampPackage(manifest, 1, "{}");
  for (let index = 0; index < 600; index++) writeFileSync(folder.join(`f${index}`), "");
  const now = stampPackage(manifest, 1, "{}");
  assert.equal(Object.keys(now.files).length, 500);
  const changes = describeChanges(before, now);
  assert.deepEqual([changes.length, changes.at(-1)], [11, "and 490 more files"]);
});
