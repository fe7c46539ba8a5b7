import assert from "node:assert/strict";
import { closeSync, ftruncateSync, lstatSync, openSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { test } from "node:test";
import { dataExtents, getXattr, listXattrs, makeNode, nodeTypes, setTimes, setXattr, tellsEntryTypes } from "#linux";
import { skipWithout } from "../../harness/peers.ts";
import { makeTempFolder } from "../../harness/temp-folder.ts";

test("times are set to the nanosecond, before the epoch too, and of a symlink itself", async () => {
  await using folder = await makeTempFolder("t");
  symlinkSync("nowhere", folder.join("link"));
  for (const mtimeNs of [0n, 1n, -1n, 1_700_000_000_123_456_789n, -2_000_000_001n]) {
    setTimes(folder.join("link"), { atimeNs: 5n, mtimeNs });
    const stat = lstatSync(folder.join("link"), { bigint: true });
    assert.equal(stat.mtimeNs, mtimeNs);
    assert.equal(stat.atimeNs, 5n);
  }
  assert.throws(() => setTimes(folder.join("gone"), { atimeNs: 0n, mtimeNs: 0n }), {
    code: "ENOENT",
    path: folder.join("gone"),
  });
});

test("a name that is no UTF-8 is taken as bytes", async () => {
  await using folder = await makeTempFolder("t");
  const path = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.of(0xff, 0x41)]);
  makeNode(path, nodeTypes.regular | 0o644);
  setXattr(path, "user.a", Buffer.from("1"));
  assert.deepEqual(listXattrs(path), ["user.a"]);
  assert.equal(getXattr(path, "user.a")?.toString(), "1");
  setTimes(path, { atimeNs: 1n, mtimeNs: 2n });
  assert.equal(lstatSync(path, { bigint: true }).mtimeNs, 2n);
});

test("the stored parts of a file with holes are found", async () => {
  await using folder = await makeTempFolder("t");
  const fd = openSync(folder.join("f"), "w+");
  try {
    assert.deepEqual([...dataExtents(fd)], []);
    ftruncateSync(fd, 8 * 2 ** 20);
    assert.deepEqual([...dataExtents(fd)], []);
    writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 2 ** 20);
    writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 8 * 2 ** 20 - 4096);
    assert.deepEqual(
      [...dataExtents(fd)],
      [
        { start: 2 ** 20, end: 2 ** 20 + 4096 },
        { start: 8 * 2 ** 20 - 4096, end: 8 * 2 ** 20 },
      ],
    );
  } finally {
    closeSync(fd);
  }
});

test("listings tell the types of entries", async () => {
  await using folder = await makeTempFolder("t");
  for (const name of ["a", ".b", "..c"]) writeFileSync(folder.join(name), "");
  assert.equal(tellsEntryTypes(folder.path), true);
  assert.throws(() => tellsEntryTypes(folder.join("gone")), { code: "ENOENT" });
});

test("a socket's name can be made without a socket", { skip: skipWithout({ root: true }) }, async () => {
  await using folder = await makeTempFolder("t");
  makeNode(folder.join("s"), nodeTypes.socket | 0o600);
  assert.ok(lstatSync(folder.join("s")).isSocket());
});
