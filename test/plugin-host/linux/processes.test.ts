import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  getResourceLimit,
  onceReady,
  openPid,
  peekEndedChild,
  reapChild,
  setChildSubreaper,
  setResourceLimit,
  signalPidfd,
} from "#linux";

test("a pidfd signals its process and is readable when it ended", async () => {
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const pidfd = openPid(child.pid!);
  signalPidfd(pidfd, 0);
  const ended = new Promise<void>((resolve) => onceReady(pidfd, "readable", resolve));
  const exit = once(child, "exit");
  signalPidfd(pidfd, "SIGTERM");
  await ended;
  assert.deepEqual(await exit, [null, "SIGTERM"]);
  assert.throws(() => signalPidfd(pidfd, "SIGTERM"), { code: "ESRCH", syscall: "pidfd_send_signal" });
  closeSync(pidfd);
});

test("a watch that was ended calls nobody and holds nothing open", async () => {
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const pidfd = openPid(child.pid!);
  const end = onceReady(pidfd, "readable", () => assert.fail("called after its end"));
  end();
  end();
  child.kill("SIGKILL");
  await once(child, "exit");
  closeSync(pidfd);
});

test("there is no pidfd of a process that does not exist", () => {
  assert.throws(() => openPid(2 ** 22 + 1), { code: "ESRCH" });
});

test("an orphan comes to the subreaper, is peeked at and then reaped with its exit code", async () => {
  setChildSubreaper(true);
  try {
    const parent = spawn("sh", ["-c", "(read _ <&3; exit 7) & echo $!; exit 0"], {
      stdio: ["ignore", "pipe", "inherit", "pipe"],
    });
    let output = "";
    parent.stdout!.setEncoding("utf8").on("data", (text: string) => (output += text));
    await once(parent, "exit");
    const pid = Number(output.trim());
    assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), new RegExp(`PPid:\\s+${process.pid}\\n`));
    assert.equal(reapChild(pid), undefined);
    const pidfd = openPid(pid);
    const ended = new Promise<void>((resolve) => onceReady(pidfd, "readable", resolve));
    parent.stdio[3]!.destroy();
    await ended;
    closeSync(pidfd);
    assert.deepEqual(peekEndedChild(), { pid, code: 7, signal: undefined });
    assert.deepEqual(reapChild(pid), { pid, code: 7, signal: undefined });
    assert.equal(reapChild(pid), undefined);
  } finally {
    setChildSubreaper(false);
  }
});

test("resource limits of this process and of another can be read and lowered", async () => {
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  setResourceLimit("nofile", { soft: 100, hard: 200 }, child.pid);
  assert.deepEqual(getResourceLimit("nofile", child.pid), { soft: 100, hard: 200 });
  setResourceLimit("core", { soft: 0, hard: undefined });
  assert.equal(getResourceLimit("core").soft, 0);
  child.kill("SIGKILL");
  await once(child, "exit");
});
