import { execa } from "execa";
import { chmod, cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { projectFolder, pythonFolder } from "./folders.ts";

const python = join(pythonFolder, "bin/python");
const protoFolders = [join(projectFolder, "test/fixtures/proto"), join(projectFolder, "proto")];
const protoFiles = [
  "acme/echo/v1/echo.proto",
  "acme/sums/v1/sums.proto",
  "acme/relay/v1/relay.proto",
  "bulkhead/plugin/v1/plugin.proto",
];

/** Puts a script of `test/fixtures/python` into a package folder, with generated code and `bin/run`. */
export async function buildPython(script: string, folder: string): Promise<void> {
  await cp(join(projectFolder, "test/fixtures/python", script), join(folder, script));
  const generated = join(folder, "gen");
  await mkdir(generated, { recursive: true });
  await execa(
    python,
    [
      "-m",
      "grpc_tools.protoc",
      ...protoFolders.map((path) => `-I${path}`),
      `--python_out=${generated}`,
      `--grpc_python_out=${generated}`,
      ...protoFiles,
    ],
    { timeout: 120_000 },
  );
  // Apart from the others: as `grpc.testing` its modules would stand in the way of the library itself.
  const interop = join(generated, "interop");
  await mkdir(interop, { recursive: true });
  const interopFolder = join(projectFolder, "test/fixtures/proto/grpc/testing");
  const out = [`-I${interopFolder}`, `--python_out=${interop}`, `--grpc_python_out=${interop}`];
  await execa(python, ["-m", "grpc_tools.protoc", ...out, "interop.proto"], { timeout: 120_000 });
  await mkdir(join(folder, "bin"), { recursive: true });
  const run = join(folder, "bin/run");
  await writeFile(run, `#!/bin/sh\nexec '${python}' -B -u "$BULKHEAD_PACKAGE_DIR/${script}" "$@"\n`);
  await chmod(run, 0o755);
}
