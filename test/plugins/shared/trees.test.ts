import assert from "node:assert/strict";
import { existsSync, linkSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { mount, unmount } from "#linux";
import { measureTree } from "../../../plugins/shared/trees/measure.ts";
import { TreeWorkers } from "../../../plugins/shared/trees/tree-workers.ts";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";
import { readTree } from "../../harness/tree-facts.ts";
import { makeOddTree } from "./odd-tree.ts";

describe("a measurement", () => {
  it("counts blocks and files, the top too, each file once whatever names it has", async () => {
    await using folder = await makeTempFolder("tree");
    const top = folder.join("top");
    mkdirSync(`${top}/sub`, { recursive: true });
    writeFileSync(`${top}/one`, Buffer.alloc(10_000, 1));
    linkSync(`${top}/one`, `${top}/sub/again`);
    linkSync(`${top}/one`, folder.join("outside"));
    symlinkSync("/usr", `${top}/link`);
    const paths = [top, `${top}/sub`, `${top}/one`, `${top}/link`];
    const blocks = paths.reduce((sum, path) => sum + lstatSync(path).blocks, 0);
    assert.deepEqual(measureTree(top), { size: blocks * 512, inodes: 4 });
    assert.deepEqual(measureTree(`${top}/one`), { size: lstatSync(`${top}/one`).blocks * 512, inodes: 1 });
    assert.throws(() => measureTree(folder.join("gone")), { code: "ENOENT" });
  });
});

describe("worker threads", () => {
  it("measure, copy and remove many trees at once", async () => {
    await using folder = await makeTempFolder("tree");
    await using trees = new TreeWorkers();
    for (let index = 0; index < 12; index++) {
      mkdirSync(folder.join(`${index}/a/b`), { recursive: true });
      mkdirSync(folder.join(`copy-${index}`));
      writeFileSync(folder.join(`${index}/a/b/f`), "x");
    }
    const all = Array.from({ length: 12 }, (_, index) => index);
    await Promise.all(all.map((index) => trees.copy(folder.join(`${index}`), folder.join(`copy-${index}`))));
    const usages = await Promise.all(all.map((index) => trees.measure(folder.join(`copy-${index}`))));
    assert.deepEqual(
      usages.map(({ inodes }) => inodes),
      all.map(() => 4),
    );
    await trees.remove(all.map((index) => folder.join(`copy-${index}`)));
    assert.ok(all.every((index) => !existsSync(folder.join(`copy-${index}`))));
    await assert.rejects(trees.measure(folder.join("copy-1")), { code: "ENOENT" });
  });

  it("that are ended fail what they had to do", async () => {
    await using folder = await makeTempFolder("tree");
    const trees = new TreeWorkers();
    const removed = Promise.allSettled(Array.from({ length: 8 }, () => trees.remove([folder.join("gone")])));
    await trees[Symbol.asyncDispose]();
    for (const { status } of await removed) assert.equal(status, "rejected");
  });
});

describe("a removal", { skip: skipWithout({ root: true }) }, () => {
  it("follows no symlink, and goes on behind what cannot be removed", async () => {
    await using folder = await makeTempFolder("tree");
    await using trees = new TreeWorkers();
    for (const name of ["kept", "busy/mounted", "gone"]) mkdirSync(folder.join(name), { recursive: true });
    writeFileSync(folder.join("kept/f"), "");
    symlinkSync(folder.join("kept"), folder.join("gone/link"));
    makeOddTree(folder.join("gone"));
    mount({ source: "tmpfs", target: folder.join("busy/mounted"), type: "tmpfs" });
    try {
      await assert.rejects(trees.remove([folder.join("busy"), folder.join("never"), folder.join("gone")]), /busy/);
    } finally {
      unmount(folder.join("busy/mounted"));
    }
    assert.ok(!existsSync(folder.join("gone")));
    assert.ok(existsSync(folder.join("kept/f")));
  });
});

describe("a copy", { skip: skipWithout({ root: true }) }, () => {
  it("is equal in everything: owners, modes, times, links, devices, attributes, holes, odd names", async () => {
    await using folder = await makeTempFolder("tree");
    await using trees = new TreeWorkers();
    for (const name of ["from", "to"]) mkdirSync(folder.join(name));
    makeOddTree(folder.join("from"));
    const before = readTree(folder.join("from"));
    await trees.copy(folder.join("from"), folder.join("to"));
    assert.deepEqual(readTree(folder.join("to")), before);
    assert.deepEqual(readTree(folder.join("from")), before);
    const sparse = lstatSync(folder.join("to/sparse"));
    assert.equal(sparse.size, 64 * 2 ** 20);
    assert.ok(sparse.blocks <= lstatSync(folder.join("from/sparse")).blocks, `${sparse.blocks} blocks`);
  });

  it("onto a full disk is ENOSPC", async () => {
    await using folder = await makeTempFolder("tree");
    await using trees = new TreeWorkers();
    for (const name of ["from", "small"]) mkdirSync(folder.join(name));
    writeFileSync(folder.join("from/f"), Buffer.alloc(2 * 2 ** 20, 1));
    mount({ source: "tmpfs", target: folder.join("small"), type: "tmpfs", data: "size=1m" });
    try {
      await assert.rejects(trees.copy(folder.join("from"), folder.join("small")), { code: "ENOSPC" });
    } finally {
      unmount(folder.join("small"));
    }
  });
});
