import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

const launcher = resolve(import.meta.dirname, "../../scripts/bulkhead");
const arch = process.arch === "arm64" ? "arm64" : "x64";
/** A node that says how it was called. */
const echoNode = `#!/bin/sh
for word do echo "$word"; done
echo "cache=\${NODE_COMPILE_CACHE-unset} options=\${NODE_OPTIONS-unset}"
`;

/** A project with the launcher, files of both programs, and a node that echoes; `nodeFolder` holds node_modules. */
function makeProject(
  folder: TempFolder,
  nodeFolder = "project",
  files = ["supervisor/main.ts", "supervisor/holder/main.ts"],
) {
  const project = folder.join("project");
  for (const file of ["scripts/bulkhead", ...files]) mkdirSync(join(project, file, ".."), { recursive: true });
  for (const file of files) writeFileSync(join(project, file), "");
  copyFileSync(launcher, join(project, "scripts/bulkhead"));
  const node = folder.join(nodeFolder, `node_modules/node-linux-${arch}/bin/node`);
  mkdirSync(join(node, ".."), { recursive: true });
  writeFileSync(node, echoNode);
  chmodSync(node, 0o755);
  return { project, node, command: join(project, "scripts/bulkhead") };
}

interface Run {
  readonly status: number | null;
  /** The file node was to run, below the project. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly last: string;
  readonly stderr: string;
}

function run(
  command: string,
  args: readonly string[],
  project: string,
  env: NodeJS.ProcessEnv = {},
  asNobody = false,
): Run {
  const whole = { PATH: process.env["PATH"], HOME: "/nonexistent", NODE_COMPILE_CACHE: "", ...env };
  const nobody = asNobody && process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", env: whole, ...nobody });
  const lines = stdout.trimEnd().split("\n");
  const at = lines.findIndex((line) => line.startsWith(project));
  const entry = (lines[at] ?? "").slice(project.length + 1);
  return { status, entry, args: lines.slice(at + 1, -1), last: lines.at(-1) ?? "", stderr };
}

const daemon = "supervisor/holder/main.ts";
const cli = "supervisor/main.ts";

test("the word decides which program runs, wherever the flags stand; bare flags mean the daemon", async () => {
  await using folder = await makeTempFolder("l");
  const { project, command } = makeProject(folder);
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [daemon, []],
    [daemon, ["daemon"]],
    [daemon, ["-c", "x"]],
    [daemon, ["--root", "plugins", "--state=/s", "daemon", "-l", "debug"]],
    [daemon, ["daemon", "--help"]],
    [cli, ["version"]],
    [cli, ["--help"]],
    [cli, ["-v"]],
    [cli, ["--address", "daemon", "publish", "--topic", "/a b"]],
    [cli, ["-a", "A", "plugins", "ls", "daemon"]],
  ];
  for (const [entry, args] of cases) {
    const ran = run(command, args, project);
    assert.deepEqual([ran.entry, ran.args], [entry, args], args.join(" "));
  }
});

test("it finds itself through symlinks, and node in a folder above", async () => {
  await using folder = await makeTempFolder("l");
  const { project, command } = makeProject(folder, ".");
  symlinkSync(command, folder.join("absolute"));
  mkdirSync(folder.join("bin"));
  symlinkSync("../absolute", folder.join("bin/bulkhead"));
  assert.equal(run(folder.join("bin/bulkhead"), ["version"], project).entry, cli);
});

test("without sources the bundles in dist run", async () => {
  await using folder = await makeTempFolder("l");
  const { project, command } = makeProject(folder, "project", ["dist/holder.js", "dist/cli.js"]);
  assert.equal(run(command, ["daemon"], project).entry, "dist/holder.js");
  assert.equal(run(command, ["version"], project).entry, "dist/cli.js");
});

test("NODE_OPTIONS is dropped, and a compile cache that is set is kept", async () => {
  await using folder = await makeTempFolder("l");
  const { project, command } = makeProject(folder);
  const env = { NODE_OPTIONS: "--inspect", NODE_COMPILE_CACHE: "/elsewhere" };
  assert.equal(run(command, [], project, env).last, "cache=/elsewhere options=unset");
});

test("the compile cache goes to the user's cache folder, or nowhere when that cannot be made", async () => {
  await using folder = await makeTempFolder("l");
  chmodSync(folder.path, 0o777); // root's cache is always /var/cache/bulkhead, so it runs as somebody else
  const { project, command } = makeProject(folder);
  const env = { NODE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: folder.join("cache") };
  assert.equal(run(command, [], project, env, true).last, `cache=${folder.join("cache/bulkhead")} options=unset`);
  const unusable = { NODE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: "/proc/nowhere" };
  assert.equal(run(command, [], project, unusable, true).last, "cache=unset options=unset");
});

test("without a Node that is new enough it says what to install", async () => {
  await using folder = await makeTempFolder("l");
  const { project, node, command } = makeProject(folder);
  rmSync(node);
  mkdirSync(folder.join("bin"));
  const old = folder.join("bin/node");
  writeFileSync(old, "#!/bin/sh\nexit 1\n");
  chmodSync(old, 0o755);
  const ran = run(command, ["version"], project, { PATH: `${folder.join("bin")}:/usr/bin:/bin` });
  assert.equal(ran.status, 1);
  assert.match(ran.stderr, /^bulkhead: no Node 24\.12 or newer found: run 'npm ci'/);
  writeFileSync(old, `#!/bin/sh\n[ "$1" = -e ] && exec '${process.execPath}' "$@"\n${echoNode}`);
  assert.equal(run(command, ["version"], project, { PATH: `${folder.join("bin")}:/usr/bin:/bin` }).entry, cli);
});
