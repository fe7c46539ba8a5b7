import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { flock, Lock, LockHeldError, unlockFile } from "#linux";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-linux-"));
test.after(() => rmSync(folder, { recursive: true }));

test("a lock refuses the second taker with what the first wrote, and is free after its disposal", () => {
  const path = join(folder, "lock");
  const first = Lock.acquire(path, "pid 1 since noon");
  assert.throws(
    () => Lock.acquire(path, "pid 2"),
    (error: unknown) => error instanceof LockHeldError && error.holder === "pid 1 since noon" && error.path === path,
  );
  first[Symbol.dispose]();
  assert.equal(existsSync(path), false);
  Lock.acquire(path, "pid 2")[Symbol.dispose]();
});

test("a lock is not inherited by a child process", () => {
  using lock = Lock.acquire(join(folder, "inherit"), "x");
  const listing = spawnSync("ls", ["-l", "/proc/self/fd"], { encoding: "utf8" });
  assert.ok(!listing.stdout.includes(lock.path), listing.stdout);
});

test("shared locks go together, an exclusive one does not", () => {
  const path = join(folder, "shared");
  const [first, second] = [openSync(path, "a+"), openSync(path, "a+")];
  flock(first, { exclusive: false, nonblocking: true });
  flock(second, { exclusive: false, nonblocking: true });
  assert.throws(() => flock(second, { exclusive: true, nonblocking: true }), { code: "EAGAIN", syscall: "flock" });
  unlockFile(first);
  flock(second, { exclusive: true, nonblocking: true });
  closeSync(first);
  closeSync(second);
});
