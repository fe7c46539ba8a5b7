import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { mount, unmount } from "#linux";
import { isHostError, type ErrorKind } from "#proto/wire/errors.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { startSnapshotter, writableFolder, type SnapshotterName, type TestedSnapshotter } from "./snapshotter.ts";

const names: readonly SnapshotterName[] = ["overlayfs", "overlayfs-sync", "native"];

const fails = (kind: ErrorKind, pattern: RegExp) => (error: unknown) => {
  assert.ok(isHostError(error, kind), `${String(error)} is not ${kind}`);
  assert.match(error.message, pattern);
  return true;
};

/** Where a snapshot's files are. */
async function contentOf({ client }: TestedSnapshotter, key: string): Promise<string> {
  const { mounts } = await client.mounts({ key });
  return writableFolder("", mounts[0]);
}

function foldersIn(root: string): string[] {
  return readdirSync(join(root, "snapshots")).sort();
}

for (const name of names) {
  describe(name, { skip: skipWithout({ root: true }) }, () => {
    it("that has had no snapshot yet lists none, and knows none", async () => {
      await using folder = await makeTempFolder("sn");
      await using snapshotter = await startSnapshotter(name, folder.path);
      const { client } = snapshotter;
      assert.deepEqual(await Array.fromAsync(client.list({})), []);
      await client.cleanup({});
      for (const call of [client.stat({ key: "x" }), client.usage({ key: "x" }), client.mounts({ key: "x" })]) {
        await assert.rejects(call, fails("not-found", /snapshot does not exist: not found$/));
      }
    });

    it("lists more than a block, in byte order of names, whatever is in them", async () => {
      await using folder = await makeTempFolder("sn");
      await using snapshotter = await startSnapshotter(name, folder.path);
      const { client } = snapshotter;
      const keys = Array.from({ length: 230 }, (_, index) => `k${index}`);
      keys.push("a b", "a/b", "ü", "a\u0000b", "a", "~", "k".repeat(600));
      await Promise.all(keys.map((key) => client.view({ key })));
      const blocks = (await Array.fromAsync(client.list({}))).map(({ info }) => info.map((each) => each.name));
      assert.deepEqual(
        blocks.map((block) => block.length),
        [100, 100, 37],
      );
      const byBytes = keys.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
      assert.deepEqual(blocks.flat(), byBytes);
    });

    it("takes away at its start what a dead process left, and uses none of its ids", async () => {
      await using folder = await makeTempFolder("sn");
      {
        await using snapshotter = await startSnapshotter(name, folder.path);
        await snapshotter.client.prepare({ key: "kept" });
      }
      for (const rubbish of ["new-123/fs", "rm-5", "7", "0007", "9/fs/deep", "x"]) {
        mkdirSync(folder.join("snapshots", rubbish), { recursive: true });
      }
      writeFileSync(folder.join("snapshots/file"), "");
      await using snapshotter = await startSnapshotter(name, folder.path);
      assert.deepEqual(foldersIn(folder.path), ["1"]);
      await snapshotter.client.prepare({ key: "next" });
      assert.deepEqual(foldersIn(folder.path), ["1", "10"]);
    });

    it("gives an id once only, over removals and restarts", async () => {
      await using folder = await makeTempFolder("sn");
      const seen: string[] = [];
      for (let round = 0; round < 3; round++) {
        await using snapshotter = await startSnapshotter(name, folder.path);
        await snapshotter.client.prepare({ key: "a" });
        seen.push(...foldersIn(folder.path));
        await snapshotter.client.remove({ key: "a" });
        await snapshotter.client.cleanup({});
      }
      assert.deepEqual(seen, ["1", "2", "3"]);
    });

    it("answers one of many that want the same name", async () => {
      await using folder = await makeTempFolder("sn");
      await using snapshotter = await startSnapshotter(name, folder.path);
      const { client } = snapshotter;
      const made = await Promise.allSettled(Array.from({ length: 10 }, () => client.prepare({ key: "a" })));
      assert.equal(made.filter(({ status }) => status === "fulfilled").length, 1);
      assert.equal(foldersIn(folder.path).length, 1);
      const committed = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) => client.commit({ key: "a", name: `n${index}` })),
      );
      assert.equal(committed.filter(({ status }) => status === "fulfilled").length, 1);
      assert.equal((await Array.fromAsync(client.list({}))).flatMap(({ info }) => info).length, 1);
    });

    it("keeps a parent while something is being made on it", async () => {
      await using folder = await makeTempFolder("sn");
      await using snapshotter = await startSnapshotter(name, folder.path);
      const { client } = snapshotter;
      await client.prepare({ key: "a" });
      for (let index = 0; index < 300; index++) writeFileSync(join(await contentOf(snapshotter, "a"), `${index}`), "x");
      await client.commit({ key: "a", name: "base" });
      const preparing = client.prepare({ key: "b", parent: "base" });
      await assert.rejects(
        client.remove({ key: "base" }),
        fails("failed-precondition", /cannot remove snapshot with child/),
      );
      await preparing;
      assert.equal((await client.stat({ key: "b" })).info?.parent, "base");
    });

    it("on a full disk is resource-exhausted and leaves nothing of what it could not make", async () => {
      await using folder = await makeTempFolder("sn");
      mount({ source: "tmpfs", target: folder.path, type: "tmpfs", data: "size=8m,nr_inodes=60,mode=700" });
      try {
        await using snapshotter = await startSnapshotter(name, folder.path);
        const { client } = snapshotter;
        await client.prepare({ key: "a" });
        writeFileSync(join(await contentOf(snapshotter, "a"), "f"), Buffer.alloc(1024 * 1024));
        await client.commit({ key: "a", name: "base" });
        let made = 0;
        const makeMore = async () => {
          for (; ; made++) await client.prepare({ key: `k${made}`, parent: "base" });
        };
        await assert.rejects(makeMore, fails("resource-exhausted", /ENOSPC.*free space below the snapshotter's root/));
        assert.ok(made > 0);
        const listed = (await Array.fromAsync(client.list({}))).flatMap(({ info }) => info);
        assert.equal(listed.length, made + 1);
        assert.equal(foldersIn(folder.path).length, made + 1);
        await client.remove({ key: "k0" });
        await client.cleanup({});
        await client.prepare({ key: "again", parent: "base" });
        await client.commit({ key: "again", name: "top" });
      } finally {
        unmount(folder.path);
      }
    });
  });
}

describe("a root", { skip: skipWithout({ root: true }) }, () => {
  it("of containerd's is refused with what to do, and stays as it is", async () => {
    await using folder = await makeTempFolder("sn");
    writeFileSync(folder.join("metadata.db"), "bolt");
    await assert.rejects(
      startSnapshotter("overlayfs", folder.path),
      fails(
        "failed-precondition",
        /holds snapshots of containerd \(metadata\.db\), which are left as they are.*root_path/,
      ),
    );
    assert.deepEqual(readdirSync(folder.path), ["metadata.db"]);
  });

  it("that another process uses is refused", async () => {
    await using folder = await makeTempFolder("sn");
    await using _ = await startSnapshotter("overlayfs", folder.path);
    await assert.rejects(
      startSnapshotter("native", folder.path),
      fails("unavailable", /^open the snapshot metadata database: lock .* is held by pid/),
    );
  });
});

describe("a removal", { skip: skipWithout({ root: true }) }, () => {
  it("from overlayfs leaves the folder for Cleanup; with sync_remove and from native it is gone at once", async () => {
    for (const [name, isThere] of [
      ["overlayfs", true],
      ["overlayfs-sync", false],
      ["native", false],
    ] as const) {
      await using folder = await makeTempFolder("sn");
      await using snapshotter = await startSnapshotter(name, folder.path);
      await snapshotter.client.prepare({ key: "a" });
      await snapshotter.client.remove({ key: "a" });
      assert.equal(existsSync(folder.join("snapshots/1")), isThere, name);
      await snapshotter.client.cleanup({});
      assert.deepEqual(foldersIn(folder.path), []);
    }
  });
});

describe("folders", { skip: skipWithout({ root: true }) }, () => {
  it("have containerd's modes, the upper one the owner of the one below it", async () => {
    await using folder = await makeTempFolder("sn");
    await using snapshotter = await startSnapshotter("overlayfs", folder.path);
    const { client } = snapshotter;
    await client.prepare({ key: "a" });
    chownSync(folder.join("snapshots/1/fs"), 1000, 2000);
    chmodSync(folder.join("snapshots/1/fs"), 0o700);
    await client.commit({ key: "a", name: "base" });
    await client.prepare({ key: "b", parent: "base" });
    await client.view({ key: "v", parent: "base" });
    const shown = ["snapshots", "snapshots/2", "snapshots/2/fs", "snapshots/2/work", "snapshots/3/fs"].map((path) => {
      const { mode, uid, gid } = statSync(folder.join(path));
      return `${path} ${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
    });
    assert.deepEqual(shown, [
      "snapshots 700 0:0",
      "snapshots/2 700 0:0",
      "snapshots/2/fs 755 1000:2000",
      "snapshots/2/work 711 0:0",
      "snapshots/3/fs 755 1000:2000",
    ]);
    assert.ok(existsSync(folder.join("snapshots/1/work")), "kept after the commit");
    assert.ok(!existsSync(folder.join("snapshots/3/work")), "a view is not written to");
  });
});
