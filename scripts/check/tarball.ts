/**
 * Packs the project, installs the tarball into an empty prefix as `npm install -g` would, boots it from there and
 * asks for its version: what a person gets must not need the checkout.
 */
import assert from "node:assert/strict";
import { execa } from "execa";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { clientOf, connect } from "#rpc";
import manifest from "../../package.json" with { type: "json" };
import { Child } from "../../test/harness/child.ts";
import { prepareBulkhead } from "../../test/harness/bulkhead-daemon.ts";
import { isSettled } from "../../test/harness/plugin-status.ts";
import { assertNothingLeft } from "../../test/harness/leftovers.ts";
import { makeTempFolder, type TempFolder } from "../../test/harness/temp-folder.ts";
import { bindOf, LayerClient, ociGzip } from "../../test/plugins/differ/layer-client.ts";
import { tarOf } from "../../test/plugins/differ/tar-builder.ts";
import { projectFolder } from "../peers/folders.ts";

/** What the tarball must carry beside the code. */
const wanted = [
  "package/README.md",
  "package/CHANGELOG.md",
  "package/LICENSE",
  "package/scripts/bulkhead",
  "package/proto/bulkhead/plugin/v1/plugin.proto",
  "package/proto/bulkhead/host/v1/host.proto",
  "package/proto/bulkhead/control/v1/control.proto",
  "package/dist/holder.js",
  "package/dist/tree-worker.js",
  "package/dist/plugins/content/plugin.yaml",
  "package/dist/plugins/differ/worker.js",
];
/** What must not be in it. */
const unwanted = /^package\/(test|node_modules|\.cache|\.ci|\.git)\//;

const work = await mkdtemp(join(tmpdir(), "bulkhead-pack-"));
try {
  const tarball = await pack(work);
  await checkFiles(tarball);
  const command = await install(tarball, join(work, "prefix"));
  await boot(command);
  console.log("the packed tarball installs and boots");
} finally {
  await rm(work, { recursive: true, force: true });
}

async function pack(folder: string): Promise<string> {
  const { stdout } = await execa("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: projectFolder,
    stderr: "inherit",
  });
  const text = stdout.slice(stdout.indexOf("["));
  const [packed] = JSON.parse(text) as { filename: string }[];
  assert.ok(packed, "npm pack told of no tarball");
  return join(folder, packed.filename);
}

async function checkFiles(tarball: string): Promise<void> {
  const { stdout } = await execa("tar", ["-tzf", tarball]);
  const files = stdout.split("\n");
  const missing = wanted.filter((file) => !files.includes(file));
  assert.deepEqual(missing, [], "missing in the tarball");
  assert.ok(
    files.some((file) => /manifest.*\.schema\.json$|plugin.*\.schema\.json$/.test(file)),
    "the manifest's schema is missing in the tarball",
  );
  assert.deepEqual(
    files.filter((file) => unwanted.test(file)),
    [],
    "should not be in the tarball",
  );
}

/** Gives the installed command. */
async function install(tarball: string, prefix: string): Promise<string> {
  await mkdir(prefix);
  const options = ["--global", "--prefix", prefix, "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  await execa("npm", ["install", ...options, tarball], { cwd: prefix, stdout: 2, stderr: "inherit" });
  return join(prefix, "bin/bulkhead");
}

async function boot(command: string): Promise<void> {
  await using folder = await makeTempFolder("i");
  const config = await prepareBulkhead(folder);
  // A PATH without the checkout's node: the command must find the runtime that was installed with it.
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: folder.path, XDG_RUNTIME_DIR: folder.path };
  await using child = new Child(command, ["--config", config, "daemon"], { env, cwd: folder.path });
  await child.output.waitFor(/successfully booted in/, 60_000);
  using channel = connect(folder.join("c.sock"));
  const answer = await clientOf(Version, channel).version({}, { deadlineMs: Date.now() + 10_000 });
  assert.match(answer.version, new RegExp(manifest.version.replaceAll(".", "\\.")));
  const { stdout } = await execa(command, ["--address", folder.join("c.sock"), "plugins", "ls", "--json"], { env });
  const plugins = JSON.parse(stdout) as { state: string; id: string }[];
  assert.deepEqual(
    plugins.filter((plugin) => !isSettled(plugin)),
    [],
    "not ready",
  );
  if (process.getuid?.() === 0) await unpackLayer(folder);
  child.kill("SIGTERM");
  assert.deepEqual(await child.waitForExit(), { code: 0, signal: null }, child.output.text);
  await assertNothingLeft(folder.path);
}

/** Through metadata and content, on a thread of the differ. */
async function unpackLayer(folder: TempFolder): Promise<void> {
  using client = new LayerClient(folder.join("c.sock"));
  const target = folder.join("unpacked");
  await mkdir(target);
  const blob = await client.store(gzipSync(tarOf([{ name: "file", data: "unpacked" }])), ociGzip);
  await client.apply(blob, bindOf(target));
  assert.equal(await readFile(join(target, "file"), "utf8"), "unpacked");
}
