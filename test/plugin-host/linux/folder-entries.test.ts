import assert from "node:assert/strict";
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  chmodEntry,
  deviceNumber,
  fileTypes,
  getEntryXattr,
  linkEntry,
  listEntryXattrs,
  makeFolderEntry,
  makeNodeEntry,
  makeSymlinkEntry,
  nodeTypes,
  openEntry,
  openFolderEntry,
  ownEntry,
  readLinkEntry,
  removeFolderEntry,
  setEntryTimes,
  setEntryXattr,
  setOpenTimes,
  statEntry,
  unlinkEntry,
} from "#linux";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-entries-"));
const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
test.after(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});
const needsRoot = process.getuid!() === 0 ? false : "needs root";
const create = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

test("files and folders are made, looked at and removed by bare names", () => {
  const file = openEntry(fd, "file", create, 0o640);
  writeSync(file, "five!");
  setOpenTimes(file, { seconds: 1, nanos: 2 }, { seconds: 1_234_567_890, nanos: 123_456_789 });
  closeSync(file);
  const facts = statEntry(fd, "file");
  assert.equal(facts.mode, fileTypes.regular | 0o640);
  assert.equal(facts.size, 5);
  assert.deepEqual(facts.accessed, { seconds: 1, nanos: 2 });
  assert.deepEqual(facts.modified, { seconds: 1_234_567_890, nanos: 123_456_789 });
  const native = lstatSync(join(folder, "file"), { bigint: true });
  assert.equal(facts.inode, native.ino);
  assert.throws(() => openEntry(fd, "file", create, 0o600), { code: "EEXIST" });
  linkEntry(fd, "file", fd, "second");
  assert.equal(statEntry(fd, "second").links, 2);

  makeFolderEntry(fd, "inner", 0o755);
  const inner = openFolderEntry(fd, "inner");
  chmodEntry(fd, "inner", 0o2711);
  assert.equal(statEntry(inner, "").mode, fileTypes.folder | 0o2711);
  closeSync(inner);
  assert.throws(() => unlinkEntry(fd, "inner"), { code: "EISDIR" });
  removeFolderEntry(fd, "inner");
  unlinkEntry(fd, "second");
  assert.throws(() => statEntry(fd, "second"), { code: "ENOENT", path: "second" });
});

test("no call follows a symlink at the end", () => {
  mkdirSync(join(folder, "real"));
  symlinkSync("real", join(folder, "to-folder"));
  writeFileSync(join(folder, "target"), "x");
  makeSymlinkEntry(fd, "to-file", "target");
  assert.equal(readLinkEntry(fd, "to-file"), "target");
  assert.throws(() => openFolderEntry(fd, "to-folder"), { code: "ENOTDIR" });
  assert.throws(() => openEntry(fd, "to-file", constants.O_RDONLY), { code: "ELOOP" });
  setEntryTimes(fd, "to-file", { seconds: 5, nanos: 0 }, { seconds: 6, nanos: 7 });
  assert.deepEqual(statEntry(fd, "to-file").modified, { seconds: 6, nanos: 7 });
  assert.notEqual(statEntry(fd, "target").modified.seconds, 6);
  assert.throws(() => readLinkEntry(fd, "target"), { code: "EINVAL" });
});

test("names are bytes, and never end early", () => {
  const name = "caf\xe9 \xff\x01";
  closeSync(openEntry(fd, name, create, 0o600));
  makeSymlinkEntry(fd, "bytes", "\xfe\xff");
  const names = readdirSync(folder, { encoding: "latin1" });
  assert.ok(names.includes(name));
  assert.deepEqual(readlinkSync(join(folder, "bytes"), { encoding: "buffer" }), Buffer.from([0xfe, 0xff]));
  unlinkEntry(fd, name);
  assert.throws(() => openEntry(fd, "cut\0here", create, 0o600), { code: "EINVAL" });
  assert.throws(() => openEntry(fd, "n".repeat(5000), create, 0o600), { code: "ENAMETOOLONG" });
  assert.throws(() => openEntry(fd, "n".repeat(300), create, 0o600), { code: "ENAMETOOLONG" });
});

test("owners of 32 bits, devices and FIFOs", { skip: needsRoot }, () => {
  makeNodeEntry(fd, "null", nodeTypes.character | 0o600, deviceNumber(259, 70_000));
  ownEntry(fd, "null", 4_000_000_000, 3_000_000);
  const { uid, gid, major, minor, mode } = statEntry(fd, "null");
  assert.deepEqual([uid, gid, major, minor], [4_000_000_000, 3_000_000, 259, 70_000]);
  assert.equal(mode & fileTypes.mask, fileTypes.character);
  makeNodeEntry(fd, "pipe", nodeTypes.fifo | 0o600);
  assert.equal(statEntry(fd, "pipe").mode & fileTypes.mask, fileTypes.fifo);
});

test("attributes of entries and of the folder itself, symlinks not followed", { skip: needsRoot }, () => {
  closeSync(openEntry(fd, "attributed", create, 0o600));
  makeSymlinkEntry(fd, "to-attributed", "attributed");
  setEntryXattr(fd, "attributed", "trusted.mine", Buffer.from([0, 1, 255]));
  setEntryXattr(fd, "", "trusted.own", Buffer.from("y"));
  assert.deepEqual(getEntryXattr(fd, "attributed", "trusted.mine"), Buffer.from([0, 1, 255]));
  assert.deepEqual(listEntryXattrs(fd, "attributed"), ["trusted.mine"]);
  assert.deepEqual(getEntryXattr(fd, "", "trusted.own"), Buffer.from("y"));
  assert.equal(getEntryXattr(fd, "to-attributed", "trusted.mine"), undefined);
  assert.throws(() => setEntryXattr(fd, "attributed", "trusted.mine", Buffer.from("z"), "create"), { code: "EEXIST" });
});
