import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("importing #linux does not load koffi", () => {
  const script =
    'import "#linux"; import { createRequire } from "node:module";' +
    'console.log(Object.keys(createRequire(import.meta.url).cache ?? {}).filter((name) => name.includes("koffi")).length);' +
    'console.log(process.report.getReport().sharedObjects.filter((name) => name.includes("koffi")).length);';
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: fileURLToPath(new URL("../../..", import.meta.url)),
    encoding: "utf8",
  });
  assert.equal(run.stdout, "0\n0\n", run.stderr);
});
