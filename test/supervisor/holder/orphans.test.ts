import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { within } from "../../harness/deadline.ts";
import { FixtureDaemon } from "./fixture-daemon.ts";

const canUnshare = spawnSync("unshare", ["--fork", "--pid", "--mount-proc", "true"]).status === 0;

/** Text of `<state>/exits` once it has a line. */
async function firstExit(state: string): Promise<string> {
  const read = (): string => {
    try {
      return readFileSync(join(state, "exits"), "utf8");
    } catch {
      return "";
    }
  };
  const { promise, resolve } = Promise.withResolvers<string>();
  const look = (): void => {
    if (read().endsWith("\n")) resolve(read());
  };
  const watcher = watch(state, look);
  look();
  try {
    return await within("a recorded exit", promise);
  } finally {
    watcher.close();
  }
}

test("an orphan of control is reaped, and its pid, start time and code are recorded", async () => {
  await using daemon = await FixtureDaemon.start({ env: { FIXTURE_CONTROL: "orphans" } });
  const line = await daemon.child.output.waitFor(/control: orphan \d+/);
  const pid = Number(/\d+$/.exec(line)?.[0]);
  assert.match(await firstExit(daemon.state), new RegExp(`^${pid} \\d+ 7\n$`));
  await daemon.child.output.waitFor(/orphan reaped.*code=7/);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test("parts that end are Node's to reap, and are never recorded as orphans", async () => {
  await using daemon = await FixtureDaemon.start({ env: { FIXTURE_CONTROL: "orphans" } });
  const router = await daemon.pidOf("router");
  process.kill(router, "SIGKILL");
  await daemon.child.output.waitFor(/part ended, restarting it.*signal=SIGKILL/);
  assert.doesNotMatch(await firstExit(daemon.state), new RegExp(`^${router} `, "m"));
});

test("it runs as PID 1 of a namespace: signals stop it, orphans are reaped", {
  skip: !canUnshare && "cannot unshare",
}, async () => {
  const prefix = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc"];
  await using daemon = await FixtureDaemon.start({ prefix, env: { FIXTURE_CONTROL: "orphans" } });
  await daemon.child.output.waitFor(/orphan reaped.*code=7/);
  // unshare ignores SIGTERM itself, so it goes to its only child, which is PID 1 inside.
  const children = readFileSync(`/proc/${daemon.child.pid}/task/${daemon.child.pid}/children`, "utf8");
  process.kill(Number(children.trim()), "SIGTERM");
  assert.equal((await daemon.child.waitForExit()).code, 0);
});
