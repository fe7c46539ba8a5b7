import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { test } from "node:test";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { clientOf, connect } from "#rpc";
import { startBulkhead, type BulkheadDaemon } from "../../harness/bulkhead-daemon.ts";
import { skipWithout } from "../../harness/peers.ts";
import { statusOf } from "../../harness/plugin-status.ts";
import { processEnd } from "../../harness/process-end.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

const skip = skipWithout({ root: true });
const plugin = "io.containerd.snapshotter.v1.overlayfs";
const socketOf = (daemon: BulkheadDaemon) => `${daemon.state}/s/overlayfs/peer.sock`;

test("the package keeps its snapshots in root_path, labelled where that is wanted, and over its own death", {
  skip,
}, async () => {
  await using elsewhere = await makeTempFolder("o");
  const root = elsewhere.join("deep/er");
  const config = `plugins: { ${plugin}: { root_path: ${root}, upperdir_label: true } }\n`;
  await using daemon = await startBulkhead({ config });
  using channel = connect(socketOf(daemon));
  const { mounts } = await clientOf(Snapshots, channel).prepare({ key: "a" });
  assert.equal(mounts[0]?.source, `${root}/snapshots/1/fs`);
  const { pid } = await statusOf(daemon, "overlayfs");
  process.kill(Number(pid), "SIGKILL");
  await processEnd(Number(pid));
  await daemon.child.output.waitForNth(/plugin ready.*plugin=overlayfs /, 2);
  using again = connect(socketOf(daemon));
  const { info } = await clientOf(Snapshots, again).stat({ key: "a" });
  assert.deepEqual(info?.labels, { "containerd.io/snapshot/overlay.upperdir": `${root}/snapshots/1/fs` });
});

test("a root of containerd's fails the plugin with what to do, and stays as it is", { skip }, async () => {
  await using root = await makeTempFolder("o");
  await mkdir(root.join("snapshots/1/fs"), { recursive: true });
  writeFileSync(root.join("metadata.db"), "bolt");
  await using daemon = await startBulkhead({ config: `plugins: { ${plugin}: { root_path: ${root.path} } }\n` });
  const { state, reason } = await statusOf(daemon, "overlayfs");
  assert.equal(state, "failed");
  assert.match(reason, /holds snapshots of containerd \(metadata\.db\).*name another folder as root_path/);
  assert.deepEqual(readdirSync(root.path).sort(), ["metadata.db", "snapshots"]);
});
