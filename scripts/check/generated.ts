/** Fails when generated code differs from what the definitions give now. Writes nothing in the checkout. */
import { execa } from "execa";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFolder } from "../peers/folders.ts";

const generations = [
  { template: "buf.gen.yaml", folder: "proto/gen" },
  { template: "test/fixtures/buf.gen.yaml", folder: "test/fixtures/gen" },
];

const fresh = await mkdtemp(join(tmpdir(), "bulkhead-generated-"));
try {
  for (const { template, folder } of generations) {
    const run = execa({ cwd: projectFolder, preferLocal: true, stdio: "inherit" });
    await run`buf generate --template ${template} --output ${fresh}`;
    const { exitCode } = await execa({
      cwd: projectFolder,
      stdio: "inherit",
      reject: false,
    })`diff -r ${folder} ${join(fresh, folder)}`;
    if (exitCode !== 0) {
      console.error(`${folder} is not what ${template} generates: run \`npx buf generate --template ${template}\``);
      process.exitCode = 1;
    }
  }
} finally {
  await rm(fresh, { recursive: true, force: true });
}
