import assert from "node:assert/strict";
import { writeFile, appendFile } from "node:fs/promises";
import { test } from "node:test";
import { Metadata } from "#proto/gen/bulkhead/metadata/v1/metadata_pb.ts";
import { implement, serve } from "#rpc";
import { declaration, packageView, plugin, SampleSupervision } from "../services/sample-supervision.ts";
import { ServedControl } from "../services/served-control.ts";
import { runCommand, startCommand } from "./run-command.ts";

const overlay = declaration("io.containerd.snapshotter.v1", "overlayfs", { routes: ["acme.v1.Thing"] });
const native = declaration("acme.things.v1", "native");

function sample(): SampleSupervision {
  const lastExit = { code: 78, signal: "", oomKilled: false, atMs: Date.now() - 630_000 };
  const reason = "config: root_path is\nno folder";
  return new SampleSupervision(
    packageView("overlayfs", [plugin(overlay)], { sinceMs: Date.now() - 9_000_000, pid: 4711, socket: "/s/1.sock" }),
    packageView("native", [plugin(native, { state: "failed" })], {
      state: "failed",
      reason,
      pid: 0,
      restarts: 4,
      lastExit,
      sinceMs: 1_700_000_000_123,
      nextAttemptMs: 1_700_000_060_000,
      config: { "acme.things.v1.native": { root_path: "/x" } },
      notes: ["no cgroup here"],
    }),
  );
}

test("plugins ls prints an aligned table without colour when it is no terminal", async () => {
  await using control = await ServedControl.start(sample());
  const { code, stdout, stderr } = await runCommand(["-a", control.mainSocket, "plugins", "ls"]);
  assert.deepEqual([code, stderr], [0, ""]);
  const lines = stdout.split("\n");
  assert.match(lines[0] ?? "", /^NAME +TYPE +PACKAGE +STATE +PID +RESTARTS +SINCE +REASON$/);
  assert.match(lines[1] ?? "", new RegExp(`^introspection-service +service\\.v1 +control +ready +${process.pid} +0 +`));
  assert.match(lines[5] ?? "", /^overlayfs +snapshotter\.v1 +overlayfs +ready +4711 +0 +2h +-$/);
  assert.match(
    lines[6] ?? "",
    /^native +acme\.things\.v1 +native +failed +- +4 +\d+d +config: root_path is no folder$/,
  );
  assert.equal(lines[0]?.indexOf("STATE"), lines[6]?.indexOf("failed"));
  assert.ok(!stdout.includes("\u001b"));
});

test("plugins ls --json is an array with every field of the contract", async () => {
  await using control = await ServedControl.start(sample());
  const { stdout } = await runCommand(["-a", control.mainSocket, "plugins", "ls", "--json"]);
  const plugins = JSON.parse(stdout) as Record<string, unknown>[];
  const { lastExit, ...last } = plugins.at(-1) ?? {};
  assert.deepEqual(last, {
    id: "native",
    type: "acme.things.v1",
    package: "native",
    version: "1.0.0",
    tier: "native",
    state: "failed",
    pid: 0,
    generation: 1,
    restarts: 4,
    since: "2023-11-14T22:13:20.123Z",
    reason: "config: root_path is\nno folder",
    socket: "",
    nextAttempt: "2023-11-14T22:14:20.000Z",
  });
  assert.equal((lastExit as { code: number }).code, 78);
  assert.deepEqual([plugins[0]?.["lastExit"], plugins[0]?.["nextAttempt"]], [null, null]);
  assert.deepEqual([plugins[0]?.["package"], plugins[0]?.["pid"]], ["control", process.pid]);
});

test("plugins show takes a package, a plugin's id or its type.id", async () => {
  await using control = await ServedControl.start(sample());
  const show = async (...words: string[]) => runCommand(["-a", control.mainSocket, "plugins", "show", ...words]);
  const { stdout } = await show("native");
  for (const fact of [
    "Package:    native 1.0.0",
    "Process:    none",
    "Last exit:  code 78, 10m ago",
    'Config:     acme.things.v1.native {"root_path":"/x"}',
    "Notes:      no cgroup here",
  ]) {
    assert.ok(stdout.includes(fact), `${fact} is missing in\n${stdout}`);
  }
  const byUri = JSON.parse((await show("acme.things.v1.native", "--json")).stdout) as { name: string; config: unknown };
  assert.equal(byUri.name, "native");
  assert.deepEqual(byUri.config, { "acme.things.v1.native": { root_path: "/x" } });
  assert.match((await show("version")).stdout, /^Package: +control/);
  assert.deepEqual(await show("nope"), {
    code: 1,
    stdout: "",
    stderr: 'bulkhead: show nope: package "nope" is not known; there are: control, overlayfs, native\n',
  });
});

test("plugins restart goes to the admin socket beside the main one", async () => {
  const supervision = sample();
  await using control = await ServedControl.start(supervision);
  const { code, stdout } = await runCommand(["-a", control.mainSocket, "plugins", "restart", "overlayfs"]);
  assert.equal(code, 0);
  assert.match(stdout, /^overlayfs +snapshotter\.v1 +overlayfs +ready +4711 +1 /m);
  assert.deepEqual(supervision.restarted, ["overlayfs"]);
});

test("logs prints the last lines and follows", async () => {
  const supervision = sample();
  await using control = await ServedControl.start(supervision);
  const file = control.folder.join("overlayfs.1");
  await writeFile(file, "one\ntwo\n");
  supervision.change("overlayfs", { logFile: file });
  const once = await runCommand(["-a", control.mainSocket, "logs", "overlayfs", "-n", "1"]);
  assert.deepEqual(once, { code: 0, stdout: "two\n", stderr: "" });
  await using following = startCommand(["-a", control.mainSocket, "logs", "-f", "overlayfs"]);
  await following.output.waitFor(/^two$/);
  await appendFile(file, "three\n");
  await following.output.waitFor(/^three$/);
});

test("metadata backup names the file absolutely and prints its size", async () => {
  const supervision = sample();
  await using control = await ServedControl.start(supervision);
  const socket = control.folder.join("metadata.sock");
  const files: string[] = [];
  const backup = ({ file }: { file: string }) => ({ bytes: BigInt(files.push(file)) });
  await using server = serve({ services: [implement(Metadata, { backup })] });
  await server.listen(socket);
  const bolt = declaration("io.containerd.metadata.v1", "bolt", { serves: [Metadata.typeName] });
  supervision.change("overlayfs", { plugins: [plugin(bolt)], socket });
  const { stdout } = await runCommand(["--state", control.folder.path, "metadata", "backup", "copy.mdb"]);
  assert.equal(stdout, `${process.cwd()}/copy.mdb: 1 bytes\n`);
  assert.deepEqual(files, [`${process.cwd()}/copy.mdb`]);
});

test("colour is for a terminal only, and never against NO_COLOR", async () => {
  await using control = await ServedControl.start(sample());
  const onTerminal = (env: NodeJS.ProcessEnv) =>
    runCommand(["-a", control.mainSocket, "plugins", "ls"], { env: { TERM: "xterm", ...env }, terminal: true });
  assert.ok((await onTerminal({})).stdout.includes("\u001b[32mready\u001b[39m"));
  const plain = await onTerminal({ NO_COLOR: "1" });
  assert.ok(plain.stdout.includes("ready") && !plain.stdout.includes("\u001b["), plain.stdout);
});
