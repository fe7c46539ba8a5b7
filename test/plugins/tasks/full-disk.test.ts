import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { open, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Tasks } from "#proto/gen/containerd/services/tasks/v1/tasks_pb.ts";
import { Status } from "#proto/gen/containerd/v1/types/task_pb.ts";
import { HostError } from "#proto/wire/errors.ts";
import { clientOf } from "#rpc";
import { skipWithout } from "../../harness/peers.ts";
import { runtimePeers } from "../../harness/runtime.ts";
import { mountTmpfs } from "../../harness/tmpfs.ts";
import { ContainerHost, runtimeUri } from "./container-host.ts";

const skip = skipWithout({ peers: [...runtimePeers], root: true });
const options = { skip, timeout: 120_000 };
const pageBytes = 4096;
/** More pages than a bundle takes. */
const enoughPages = 14;

let host: ContainerHost;
before(async () => {
  if (skip === false) host = await ContainerHost.start();
});
after(async () => {
  if (skip === false) await host[Symbol.asyncDispose]();
});

/** Fills a file system with one file, but for so many pages. */
async function fill(path: string, freePages: number): Promise<void> {
  await using file = await open(path, "w");
  let bytes = 0;
  try {
    for (;;) bytes += (await file.write(Buffer.alloc(pageBytes))).bytesWritten;
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOSPC") throw error;
  }
  await truncate(path, bytes - freePages * pageBytes);
}

function isFull(error: unknown): boolean {
  assert.ok(error instanceof HostError && ["resource-exhausted", "unknown"].includes(error.kind), String(error));
  // runc may not even find the room to say why.
  assert.match(error.message, /no space left on device|did not terminate successfully/i);
  return true;
}

for (const where of ["state", "root"] as const) {
  test(
    `a disk that is full below ${where}, or fills at any step of a create, fails that create alone`,
    options,
    async () => {
      using channel = host.channel();
      const tasks = clientOf(Tasks, channel);
      const folder = join(host.daemon[where], runtimeUri, host.namespace);
      await using disk = await mountTmpfs(folder, "256k");
      const pid = await host.run("steady", ["/bin/sleep", "1000"]);
      await host.container("late", ["/bin/sleep", "1000"]);
      const late = { containerId: "late" };
      const filler = join(disk.path, ".filler");
      for (let freePages = 0; freePages < enoughPages; freePages++) {
        await fill(filler, freePages);
        try {
          await tasks.create(late, host.scope);
        } catch (error) {
          isFull(error);
          await assert.rejects(tasks.get(late, host.scope), { kind: "not-found" });
          continue;
        } finally {
          await rm(filler);
        }
        await tasks.delete(late, host.scope);
      }
      await fill(filler, 0);
      const { tasks: listed } = await tasks.list({}, host.scope);
      assert.deepEqual(
        listed.map((each) => [each.id, each.pid, each.status]),
        [["steady", pid, Status.RUNNING]],
      );
      assert.deepEqual(
        (await tasks.listPids({ containerId: "steady" }, host.scope)).processes.map((each) => each.pid),
        [pid],
      );
      await tasks.kill({ containerId: "steady", signal: 9 }, host.scope);
      assert.equal((await tasks.wait({ containerId: "steady" }, host.scope)).exitStatus, 137);
      assert.equal((await tasks.delete({ containerId: "steady" }, host.scope)).exitStatus, 137);
      await rm(filler);
      await tasks.create(late, host.scope);
      await host.clear();
      await host.assertNothingRemains(where);
    },
  );
}

test("an exec whose start cannot be written down is not started, and can be once there is room", options, async () => {
  using channel = host.channel();
  const tasks = clientOf(Tasks, channel);
  await using disk = await mountTmpfs(join(host.daemon.state, "tasks/starts"), "64k");
  const filler = join(disk.path, ".filler");
  await host.run("steady", ["/bin/sleep", "1000"]);
  const value = Buffer.from(JSON.stringify({ args: ["/bin/true"], cwd: "/", user: { uid: 0, gid: 0 } }));
  const name = { containerId: "steady", execId: "e" };
  await tasks.exec({ ...name, spec: { typeUrl: "x", value } }, host.scope);
  await fill(filler, 0);
  const { files, ffree } = statfsSync(disk.path);
  await disk.remount(`nr_inodes=${files - ffree}`); // an empty file takes no page
  await assert.rejects(tasks.start(name, host.scope), isFull);
  await disk.remount("nr_inodes=0");
  await rm(filler);
  await tasks.start(name, host.scope);
  assert.equal((await tasks.wait(name, host.scope)).exitStatus, 0);
  await host.clear();
  await host.assertNothingRemains();
});
