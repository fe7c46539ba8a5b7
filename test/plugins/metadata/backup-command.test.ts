import assert from "node:assert/strict";
import { copyFile, rm, stat } from "node:fs/promises";
import { test } from "node:test";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../../harness/bulkhead-daemon.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { runCommand } from "../../supervisor/cli/run-command.ts";

async function namesIn(daemon: BulkheadDaemon): Promise<readonly string[]> {
  using channel = connect(daemon.address);
  const { namespaces } = await clientOf(Namespaces, channel).list({});
  return namespaces.map(({ name }) => name);
}

async function createIn(daemon: BulkheadDaemon, name: string): Promise<void> {
  using channel = connect(daemon.address);
  const scope = { metadata: { "containerd-namespace": name } };
  await clientOf(Namespaces, channel).create({ namespace: { name } }, scope);
}

test("what the backup command wrote takes the place of the database of a daemon that was stopped", async () => {
  await using folder = await makeTempFolder("bk");
  const file = folder.join("backup.lmdb");
  {
    await using daemon = await startBulkhead({ folder });
    await createIn(daemon, "before");
    const made = await runCommand(["--state", daemon.state, "metadata", "backup", file]);
    assert.equal(made.code, 0, made.stderr);
    const again = await runCommand(["--state", daemon.state, "metadata", "backup", file]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /backup\.lmdb exists already; name another file/);
    await createIn(daemon, "after");
  }
  assert.equal((await stat(file)).mode & 0o077, 0, "a backup is for the daemon's user alone");
  const database = folder.join("root/io.containerd.metadata.v1.bolt/meta.lmdb");
  await rm(`${database}-lock`);
  await copyFile(file, database);
  await using daemon = await startBulkhead({ folder });
  assert.deepEqual(await namesIn(daemon), ["before"]);
});
