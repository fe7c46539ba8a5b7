import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  isLinuxError,
  keepDescriptorsFromChildren,
  onceReady,
  openPid,
  reapChild,
  spawnProcess,
  type SpawnRequest,
} from "#linux";
import { within } from "../../harness/deadline.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

keepDescriptorsFromChildren();

/** Runs a shell script to its end; gives what it wrote to descriptor 1, and how it ended. */
async function run(script: string, request: Partial<SpawnRequest> = {}) {
  await using folder = await makeTempFolder("sp");
  const path = folder.join("out");
  const out = openSync(path, "a");
  const pid = spawnProcess({
    file: "/bin/sh",
    args: ["sh", "-c", script],
    env: {},
    cwd: folder.path,
    descriptors: ["null", out, out],
    ...request,
  });
  closeSync(out);
  const pidfd = openPid(pid);
  await within("its end", new Promise<void>((resolve) => void onceReady(pidfd, "readable", resolve)));
  closeSync(pidfd);
  return { pid, folder: folder.path, text: readFileSync(path, "utf8").trimEnd(), end: reapChild(pid) };
}

test("a started program has its arguments, environment and folder, a session of its own, and those descriptors alone", async () => {
  const script =
    'pwd; echo "$A $0 $1"; cut -d" " -f5,6 /proc/$$/stat; for d in /proc/$$/fd/*; do [ -e $d ] && echo ${d##*/}; done; readlink /proc/$$/fd/0';
  const args = ["sh", "-c", script, "a b", "$(c)"];
  const { text, folder, pid } = await run("", { args, env: { A: "x=y z", PATH: "/usr/bin:/bin" } });
  assert.deepEqual(text.split("\n"), [folder, "x=y z a b $(c)", `${pid} ${pid}`, "0", "1", "2", "/dev/null"]);
});

test("a started program has default signals, none blocked, whatever this process does with them", async () => {
  process.on("SIGPIPE", () => {});
  // Of itself: a shell blocks signals now and then while it waits.
  const { text } = await run("exec grep -E 'Sig(Blk|Ign)' /proc/self/status", { env: { PATH: "/usr/bin:/bin" } });
  assert.deepEqual(text.split("\n"), ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"]);
});

test("its end is told with code or signal", async () => {
  assert.equal((await run("exit 7")).end?.code, 7);
  assert.equal((await run("kill -9 $$")).end?.signal, 9);
});

test("a program or folder that is not there is an error, and nothing is left behind", () => {
  const request = {
    file: "/nonexistent",
    args: ["x"],
    env: {},
    cwd: "/",
    descriptors: ["null", "null", "null"],
  } as const;
  assert.throws(
    () => spawnProcess(request),
    (error) => isLinuxError(error, "ENOENT"),
  );
  assert.throws(
    () => spawnProcess({ ...request, file: "/bin/true", cwd: "/nonexistent" }),
    (error) => isLinuxError(error, "ENOENT"),
  );
  assert.throws(() => spawnProcess({ ...request, descriptors: ["null", 0] }), RangeError);
});
