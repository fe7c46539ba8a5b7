import assert from "node:assert/strict";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { debianRoot } from "../../../scripts/peers/folders.ts";
import { ctr } from "../../harness/ctr.ts";
import { startBulkhead } from "../../harness/bulkhead-daemon.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeRootfs, removeRuncFolders, runtimePeers } from "../../harness/runtime.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { bindOf, LayerClient, ociTar } from "../differ/layer-client.ts";
import { tarOf } from "../differ/tar-builder.ts";

test("shims, what they run, and what the differ runs are found in the opt folder first", {
  skip: skipWithout({ peers: [...runtimePeers], root: true }),
}, async () => {
  await using folder = await makeTempFolder("op");
  const bin = folder.join("opt/bin");
  await mkdir(bin, { recursive: true });
  const shim = "containerd-shim-runc-v2";
  await symlink(join(debianRoot("containerd"), "usr/bin", shim), join(bin, shim));
  await symlink(join(debianRoot("runc"), "usr/sbin/runc"), join(bin, "runc"));
  await writeFile(join(bin, "opt-only"), `#!/bin/sh\necho "$PATH|$LD_LIBRARY_PATH" > '${folder.path}/env'\nexec cat\n`);
  await chmod(join(bin, "opt-only"), 0o755);
  const config = [
    `stream_processors: { opt: { accepts: [application/x-opt], returns: "${ociTar}", path: opt-only } }`,
    `plugins: { io.containerd.internal.v1.opt: { path: ${folder.join("opt")} } }`,
    "",
  ].join("\n");
  await using daemon = await startBulkhead({ config, env: { PATH: "/usr/bin:/bin", LD_LIBRARY_PATH: "" } });

  await makeRootfs(folder.join("rootfs"));
  const namespace = `op${folder.path.replaceAll(/[^A-Za-z0-9]/g, "")}`;
  const words = ["run", "--rm", "--rootfs", folder.join("rootfs"), "one", "/bin/echo", "found"];
  const { code, stdout, stderr } = await ctr(daemon.address, words, { namespace });
  assert.deepEqual([code, stdout, stderr], [0, "found\n", ""]);
  await removeRuncFolders(namespace);

  using client = new LayerClient(daemon.address);
  await mkdir(folder.join("target"));
  const diff = await client.store(tarOf([{ name: "file", data: "x" }]), "application/x-opt");
  await client.apply(diff, bindOf(folder.join("target")));
  const [path, libraries] = (await readFile(folder.join("env"), "utf8")).trim().split("|");
  assert.equal(path, `${bin}:/usr/bin:/bin`);
  assert.equal(libraries, folder.join("opt/lib"));
});
