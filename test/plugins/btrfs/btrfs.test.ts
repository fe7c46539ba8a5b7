import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createSubvolume, deleteSubvolume, findMount, mount, snapshotSubvolume, subvolumeId, unmount } from "#linux";
import { isHostError } from "#proto/wire/errors.ts";
import { mountBtrfs, skipWithoutBtrfs, type BtrfsDisk } from "../../harness/btrfs-disk.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { startSnapshotter, writableFolder, type TestedSnapshotter } from "../shared/snapshotter.ts";

const skip = skipWithoutBtrfs();

let disk: BtrfsDisk;
before(async () => {
  if (skip === false) disk = await mountBtrfs();
});
after(async () => {
  if (skip === false) await disk[Symbol.asyncDispose]();
});

let count = 0;
function makeRoot(): string {
  const root = join(disk.path, `root-${count++}`);
  mkdirSync(root, { mode: 0o700 });
  return root;
}

async function folderOf({ client }: TestedSnapshotter, root: string, key: string): Promise<string> {
  return writableFolder(root, (await client.mounts({ key })).mounts[0]);
}

describe("subvolumes", { skip }, () => {
  it("are made, copied for reading and for writing, and deleted", () => {
    const root = makeRoot();
    const at = (name: string) => join(root, name);
    createSubvolume(at("a"));
    assert.equal(statSync(at("a")).ino, 256);
    assert.throws(() => createSubvolume(at("a")), { code: "EEXIST", path: at("a") });
    writeFileSync(at("a/f"), "one");
    snapshotSubvolume(at("a"), at("ro"), { readonly: true });
    snapshotSubvolume(at("a"), at("rw"), { readonly: false });
    writeFileSync(at("rw/f"), "two");
    assert.throws(() => writeFileSync(at("ro/f"), "two"), { code: "EROFS" });
    assert.deepEqual(
      ["a", "ro", "rw"].map((name) => readFileSync(at(`${name}/f`), "utf8")),
      ["one", "one", "two"],
    );
    assert.equal(new Set(["a", "ro", "rw"].map((name) => subvolumeId(at(name)))).size, 3);
    for (const name of ["a", "ro", "rw"]) deleteSubvolume(at(name));
    assert.deepEqual(readdirSync(root), []);
    assert.throws(() => deleteSubvolume(at("a")), { code: "ENOENT" });
  });
});

describe("btrfs", { skip }, () => {
  it("keeps active, view and committed subvolumes apart and mounts them by number", async () => {
    const root = makeRoot();
    await using snapshotter = await startSnapshotter("btrfs", root);
    const { client } = snapshotter;
    await client.prepare({ key: "a" });
    writeFileSync(join(await folderOf(snapshotter, root, "a"), "f"), "x".repeat(100_000));
    assert.equal((await client.usage({ key: "a" })).inodes, 2n);
    await client.commit({ key: "a", name: "base" });
    assert.deepEqual(readdirSync(join(root, "active")), []);
    assert.deepEqual(readdirSync(join(root, "snapshots")), ["1"]);
    const { mounts } = await client.prepare({ key: "b", parent: "base" });
    const id = subvolumeId(join(root, "active/2"));
    const { source } = findMount(root);
    assert.deepEqual(
      mounts.map(({ type, source: from, options }) => [type, from, options]),
      [["btrfs", source, [`subvolid=${id}`]]],
    );
    const { mounts: ofView } = await client.view({ key: "v", parent: "base" });
    assert.deepEqual(ofView[0]?.options, [`subvolid=${subvolumeId(join(root, "view/3"))}`, "ro"]);
    await using folder = await makeTempFolder("m");
    mount({ source, target: folder.path, type: "btrfs", data: `subvolid=${id}` });
    try {
      assert.equal(statSync(folder.join("f")).size, 100_000);
      writeFileSync(folder.join("new"), "1");
    } finally {
      unmount(folder.path);
    }
    await client.commit({ key: "b", name: "top" });
    assert.deepEqual((await client.usage({ key: "top" })).inodes, 1n);
    assert.throws(() => writeFileSync(join(root, "snapshots/2/f"), ""), { code: "EROFS" });
    await assert.rejects(client.remove({ key: "base" }), (error) => isHostError(error, "failed-precondition"));
    for (const key of ["v", "top", "base"]) await client.remove({ key });
    for (const name of ["active", "view", "snapshots"]) assert.deepEqual(readdirSync(join(root, name)), [], name);
  });

  it("counts of an active snapshot only what differs from its parent", async () => {
    const root = makeRoot();
    await using snapshotter = await startSnapshotter("btrfs", root);
    const { client } = snapshotter;
    await client.prepare({ key: "a" });
    const base = await folderOf(snapshotter, root, "a");
    mkdirSync(join(base, "d"));
    for (const name of ["same", "d/changed"]) writeFileSync(join(base, name), "x".repeat(10_000));
    await client.commit({ key: "a", name: "base" });
    await client.prepare({ key: "b", parent: "base" });
    assert.deepEqual({ ...(await client.usage({ key: "b" })), $typeName: "" }, { $typeName: "", size: 0n, inodes: 0n });
    const active = await folderOf(snapshotter, root, "b");
    writeFileSync(join(active, "d/changed"), "y".repeat(10_001));
    writeFileSync(join(active, "added"), "z".repeat(8192));
    const { size, inodes } = await client.usage({ key: "b" });
    assert.equal(inodes, 2n);
    const blocks = ["d/changed", "added"].reduce((sum, name) => sum + statSync(join(active, name)).blocks, 0);
    assert.equal(size, BigInt(blocks * 512));
  });

  it("takes away what dead processes left in any folder, subvolumes inside subvolumes too", async () => {
    const root = makeRoot();
    {
      await using snapshotter = await startSnapshotter("btrfs", root);
      await snapshotter.client.prepare({ key: "a" });
      await snapshotter.client.commit({ key: "a", name: "base" });
      await snapshotter.client.prepare({ key: "b", parent: "base" });
    }
    createSubvolume(join(root, "active/1")); // a commit cut off at its end
    createSubvolume(join(root, "snapshots/2")); // another before its record
    createSubvolume(join(root, "view/7"));
    mkdirSync(join(root, "view/7/deep"));
    createSubvolume(join(root, "view/7/deep/inner"));
    mkdirSync(join(root, "view/rm-3/plain"), { recursive: true });
    await using snapshotter = await startSnapshotter("btrfs", root);
    assert.deepEqual(
      ["active", "view", "snapshots"].map((name) => readdirSync(join(root, name))),
      [["2"], [], ["1"]],
    );
    await snapshotter.client.prepare({ key: "next" });
    assert.ok(existsSync(join(root, "active/8")));
  });
});
