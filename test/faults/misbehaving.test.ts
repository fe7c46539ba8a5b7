import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { readProcStat } from "../../supervisor/holder/proc-stat.ts";
import { Version } from "#proto/gen/containerd/services/version/v1/version_pb.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../harness/bulkhead-daemon.ts";
import { packageFolder, type PackageCopy } from "../harness/package-folder.ts";
import { partPid } from "../harness/parts.ts";
import { skipWithout } from "../harness/peers.ts";
import { statusOf, waitForState } from "../harness/plugin-status.ts";
import { untilStatus } from "../harness/status-watch.ts";
import { makeTempFolder, type TempFolder } from "../harness/temp-folder.ts";

/** What each exit code of the plugin contract leads to. */
const codes: readonly { readonly code: number; readonly state: string; readonly reason: RegExp }[] = [
  { code: 0, state: "backoff", reason: /exit code 0: why it ended/ },
  { code: 75, state: "backoff", reason: /tried again later \(exit code 75\)/ },
  { code: 78, state: "failed", reason: /^why it ended$/ },
  { code: 79, state: "skipped", reason: /why it ended: skip plugin/ },
  { code: 126, state: "backoff", reason: /could not start \(exit code 126\): why it ended/ },
  { code: 127, state: "backoff", reason: /could not start \(exit code 127\): why it ended/ },
  { code: 9, state: "backoff", reason: /exit code 9: why it ended/ },
];

/** Most that a burst of bad output may have cost control, bytes. */
const controlLimitBytes = 400 * 1024 * 1024;

let folder: TempFolder;
let daemon: BulkheadDaemon;

before(async () => {
  folder = await makeTempFolder("m");
  const withCode = ({ code }: { readonly code: number }): PackageCopy => ({
    name: `exits-${code}`,
    from: "exits-with-code",
    edit: (manifest) =>
      manifest
        .replaceAll("exits-with-code", `exits-${code}`)
        .replace("ExitsWithCode", `Exits${code}`)
        .replace("exit 1", `exit ${code}`),
  });
  const done: PackageCopy = {
    name: "exits-done",
    from: "exits-with-code",
    edit: (manifest) =>
      manifest
        .replaceAll("exits-with-code", "exits-done")
        .replace("ExitsWithCode", "ExitsDone")
        .replace("exit 1", "exit 0")
        .replace("restart: {", "restart: { policy: transient,"),
  };
  const living: PackageCopy = {
    name: "lets-live",
    from: "keeps-grandchild",
    edit: (manifest) =>
      `${manifest.replaceAll("keeps-grandchild", "lets-live").replace("KeepsGrandchild", "LetsLive")}stop: { kill: process }\n`,
  };
  const broken = ["ready-then-dead", "keeps-grandchild", "floods-both", "endless-readiness", "eats-descriptors"];
  const config = await packageFolder(folder, { broken: [...broken, ...codes.map(withCode), done, living] });
  daemon = await startBulkhead({ folder, config: `${config}boot: { wait: 1s }\n`, args: ["-l", "debug"] });
});

after(async () => {
  await endGrandchildren();
  await daemon[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Those of `lets-live` are meant to outlive the daemon; each of its lives leaves one. */
async function endGrandchildren(): Promise<void> {
  for (const line of daemon.child.output.lines) {
    const pid = /msg="grandchild (\d+)" plugin=lets-live/.exec(line)?.[1];
    const command = pid === undefined ? "" : await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.includes("lets-live")) process.kill(Number(pid), "SIGKILL");
  }
}

for (const { code, state, reason } of codes) {
  test(`a package that exits with ${code} is ${state} and says why`, async () => {
    const status = await untilStatus(daemon, `exits-${code}`, (now) => now.state === state);
    assert.equal(status.state, state, status.reason);
    assert.match(status.reason, reason);
    assert.deepEqual([status.lastExit?.code, status.lastExit?.signal], [code, ""]);
    assert.equal(status.nextAttempt !== undefined, state === "backoff" || state === "failed");
  });
}

test("a transient package that exits with 0 is done and stays down", async () => {
  const status = await untilStatus(daemon, "exits-done", ({ state }) => state === "stopped");
  assert.deepEqual([status.state, status.reason], ["stopped", "done"]);
});

test("a package that is ready and then dies is restarted at once, until its intensity is used up", async () => {
  const reason = await waitForState(daemon, "ready-then-dead", "failed");
  assert.match(reason, /exit code 5: that was all; more than 3 restarts in 60 s/);
  // Lives that were over before they were ready do not count towards the intensity, and come on top.
  const status = await statusOf(daemon, "ready-then-dead");
  assert.ok(status.restarts >= 3n, `${status.restarts} restarts`);
  assert.equal(status.lastExit?.code, 5);
});

test("a grandchild that keeps a dead package's socket, in a session of its own, is ended with it", {
  skip: skipWithout({ cgroups: true }),
}, async () => {
  await waitForState(daemon, "keeps-grandchild", "backoff");
  const line = await daemon.child.output.waitFor(/msg="grandchild (\d+)" plugin=keeps-grandchild/);
  const pid = Number(/grandchild (\d+)/.exec(line)?.[1]);
  assert.ok(pid > 1);
  // The holder, whose descendant it is, reaps it.
  await daemon.child.output.waitFor(new RegExp(`orphan reaped.*pid=${pid}\\b`));
});

test("a grandchild lives on where its package says so", async () => {
  await waitForState(daemon, "lets-live", "backoff");
  const line = await daemon.child.output.waitFor(/msg="grandchild (\d+)" plugin=lets-live/);
  const pid = Number(/grandchild (\d+)/.exec(line)?.[1]);
  assert.match(readProcStat(pid)?.state ?? "gone", /^[SR]$/);
  process.kill(pid, "SIGKILL");
});

test("a gigabyte of readiness without a newline is cut off: not ready, and nobody else notices", async () => {
  assert.match(await waitForState(daemon, "endless-readiness", "backoff"), /no newline came on BULKHEAD_READY_FD/);
  assert.ok((await residentBytes(daemon)) < controlLimitBytes);
});

test("a package that closes all that it inherited is not ready in time, and says so", async () => {
  assert.match(await waitForState(daemon, "eats-descriptors", "backoff"), /not ready within 1s.*readiness\.timeout/);
});

test("a package that floods both outputs stays ready, and the daemon answers", async () => {
  using channel = connect(daemon.address);
  const version = clientOf(Version, channel);
  for (let round = 0; round < 200; round++) await version.version({}, { deadlineMs: Date.now() + 5000 });
  assert.equal((await statusOf(daemon, "floods-both")).state, "ready");
  assert.ok((await residentBytes(daemon)) < controlLimitBytes);
});

async function residentBytes(of: BulkheadDaemon): Promise<number> {
  const text = await readFile(`/proc/${await partPid(of, "control")}/statm`, "utf8");
  return Number(text.split(" ")[1]) * 4096;
}
