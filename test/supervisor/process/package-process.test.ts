import assert from "node:assert/strict";
import { closeSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { onceReady, openPid } from "#linux";
import { withLaunchPrefix } from "../../../supervisor/process/launch-prefix.ts";
import { OutputLog } from "../../../supervisor/process/output-log.ts";
import { PackageProcess } from "../../../supervisor/process/package-process.ts";
import { identifyProcess, isSameProcess } from "../../../supervisor/process/process-identity.ts";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-process-"));
after(() => rmSync(folder, { recursive: true }));

let count = 0;
function start(script: string, lines: string[] = [], kill: "group" | "process" = "group"): PackageProcess {
  const output = new OutputLog(join(folder, `p.${++count}`), (line) => lines.push(line));
  const env = { PATH: process.env["PATH"] ?? "" };
  return PackageProcess.start({
    command: ["/bin/sh", "-c", script],
    cwd: folder,
    env,
    output,
    readyByFd: true,
    ttrpcListenerFd: undefined,
    kill,
  });
}

test("a newline on the readiness descriptor makes a process ready", async () => {
  const child = start("echo >&3; exec 3>&-; exec sleep 60");
  await child.ready;
  child.kill();
  assert.deepEqual(await child.exited, { code: undefined, signal: "SIGKILL", lastLine: "" });
});

test("a process that said it was ready and ended at once was ready first", async () => {
  for (let life = 0; life < 20; life++) {
    const child = start("echo >&3; exit 1");
    // Newline and exit are there before this process looks at either.
    while (!readFileSync(`/proc/${child.pid}/stat`, "latin1").includes(") Z "));
    const first = await Promise.race([child.ready.then(() => "ready"), child.exited.then(() => "exited")]);
    assert.equal(first, "ready");
    await child.exited;
  }
});

test("the exit comes with the last line, after all output was read", async () => {
  const lines: string[] = [];
  const child = start("for i in 1 2 3; do echo line $i; done; echo the reason >&2; exit 78", lines);
  assert.deepEqual(await child.exited, { code: 78, signal: undefined, lastLine: "the reason" });
  assert.deepEqual(lines, ["line 1", "line 2", "line 3", "the reason"]);
});

test("a killed process takes its grandchildren along", async () => {
  const child = start("sleep 60 & echo $! ; echo >&3; wait");
  await child.ready;
  const grandchild = Number(readFileSync(child.output.path, "utf8"));
  assert(identifyProcess(grandchild) !== undefined);
  const pidfd = openPid(grandchild);
  const gone = new Promise<void>((resolve) => onceReady(pidfd, "readable", resolve));
  child.kill();
  await child.exited;
  await gone;
  closeSync(pidfd);
});

test("grandchildren are left alone where a package says so", async () => {
  const child = start("sleep 60 & echo $! ; echo >&3; wait", [], "process");
  await child.ready;
  const grandchild = Number(readFileSync(child.output.path, "utf8"));
  child.kill();
  await child.exited;
  assert(identifyProcess(grandchild) !== undefined);
  process.kill(grandchild, "SIGKILL");
});

test("a flood of output is written whole, handed on within its rate, and kept bounded in memory", async () => {
  const lines: string[] = [];
  const child = start("seq 1 50000", lines);
  await child.exited;
  assert.equal(readFileSync(child.output.path, "utf8").trimEnd().split("\n").length, 50_000);
  assert(lines.length > 0 && lines.length <= 2000, String(lines.length));
  assert(child.output.dropped > 0);
  assert.equal(child.output.lastLines().length, 200);
  assert.equal(child.output.lastLines().at(-1), "50000");
});

test("a readiness line without an end does not make a process ready or fill memory", async () => {
  const child = start("head -c 10000000 /dev/zero >&3; exec sleep 60");
  let ready = false;
  void child.ready.then(() => (ready = true));
  child.terminate();
  await child.exited;
  assert.equal(ready, false);
});

test("the launch prefix sets umask, limits and no_new_privs before the program", async () => {
  const settings = {
    identity: undefined,
    noNewPrivileges: true,
    nofile: 64,
    coreBytes: 0,
    cgroupFiles: [],
    oomScoreAdj: undefined,
  };
  const command = [
    "/bin/sh",
    "-c",
    'umask; ulimit -n; ulimit -c; grep NoNewPrivs /proc/self/status; echo "$0 $1"',
    "a b",
    "$(c)",
  ];
  const output = new OutputLog(join(folder, "prefix.1"), () => {});
  const child = PackageProcess.start({
    command: withLaunchPrefix(command, settings, "/usr/bin/setpriv"),
    cwd: folder,
    env: {},
    output,
    readyByFd: true,
    ttrpcListenerFd: undefined,
    kill: "group",
  });
  await child.exited;
  assert.deepEqual(output.lastLines(), ["0022", "64", "0", "NoNewPrivs:\t1", "a b $(c)"]);
});

test("identity tells a process from another with its pid", () => {
  const me = identifyProcess(process.pid);
  assert(me !== undefined && isSameProcess(me));
  assert(!isSameProcess({ ...me, startTime: "1" }));
  assert(!isSameProcess({ ...me, bootId: "another" }));
});
