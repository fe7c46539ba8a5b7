import assert from "node:assert/strict";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  deviceNumber,
  getXattr,
  listXattrs,
  makeNode,
  mount,
  mountFlags,
  nodeTypes,
  removeXattr,
  setXattr,
  syncFileSystem,
  unmount,
  unmountFlags,
} from "#linux";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-linux-"));
test.after(() => rmSync(folder, { recursive: true }));
const root = process.getuid!() === 0 ? false : "needs root";

test("a FIFO is made, and a second one at its place is refused", () => {
  const path = join(folder, "fifo");
  makeNode(path, nodeTypes.fifo | 0o600);
  assert.ok(statSync(path).isFIFO());
  assert.throws(() => makeNode(path, nodeTypes.fifo | 0o600), { code: "EEXIST", syscall: "mknod", path });
});

test("a character device has its number", { skip: root }, () => {
  const path = join(folder, "null");
  makeNode(path, nodeTypes.character | 0o600, deviceNumber(1, 3));
  assert.ok(statSync(path).isCharacterDevice());
  assert.equal(statSync(path, { bigint: true }).rdev, statSync("/dev/null", { bigint: true }).rdev);
});

test("device numbers beyond 8 bits are encoded as glibc does", () => {
  assert.equal(deviceNumber(1, 3), 0x103n);
  assert.equal(deviceNumber(8, 0x12345), 0x12300845n);
});

test("extended attributes are set, read, listed and removed, on a link itself too", { skip: root }, () => {
  const [file, link] = [join(folder, "file"), join(folder, "link")];
  writeFileSync(file, "");
  symlinkSync(file, link);
  assert.equal(getXattr(file, "trusted.a"), undefined);
  setXattr(file, "trusted.a", Buffer.from("value"));
  setXattr(file, "trusted.empty", Buffer.alloc(0));
  setXattr(link, "trusted.onlink", Buffer.from("1"));
  assert.equal(getXattr(file, "trusted.a")?.toString(), "value");
  assert.equal(getXattr(file, "trusted.empty")?.length, 0);
  assert.deepEqual(listXattrs(file).toSorted(), ["trusted.a", "trusted.empty"]);
  assert.deepEqual(listXattrs(link), ["trusted.onlink"]);
  assert.throws(() => setXattr(file, "trusted.a", Buffer.from("x"), "create"), { code: "EEXIST" });
  removeXattr(file, "trusted.a");
  assert.throws(() => removeXattr(file, "trusted.a"), { code: "ENODATA", syscall: "lremovexattr", path: file });
});

test("a tmpfs is mounted, bound elsewhere read-only, and both are taken away", { skip: root }, () => {
  const [first, second] = [join(folder, "tmpfs"), join(folder, "bind")];
  mkdirSync(first);
  mkdirSync(second);
  mount({ source: "tmpfs", target: first, type: "tmpfs", flags: mountFlags.nosuid, data: "size=64k" });
  mount({ source: first, target: second, flags: mountFlags.bind });
  mount({ source: "none", target: second, flags: mountFlags.bind | mountFlags.remount | mountFlags.readonly });
  writeFileSync(join(first, "here"), "");
  assert.deepEqual(readdirSync(second), ["here"]);
  assert.throws(() => writeFileSync(join(second, "there"), ""), { code: "EROFS" });
  unmount(second, unmountFlags.nofollow);
  unmount(first, unmountFlags.detach);
  assert.throws(() => unmount(first), { code: "EINVAL", syscall: "umount2", path: first });
});

test("a mount that fails names its target", () => {
  assert.throws(() => mount({ source: "x", target: join(folder, "absent"), type: "tmpfs" }), {
    name: "LinuxError",
    syscall: "mount",
    path: join(folder, "absent"),
  });
});

test("a file system is synced through any descriptor on it", () => {
  const fd = openSync(folder, "r");
  syncFileSystem(fd);
  closeSync(fd);
  assert.throws(() => syncFileSystem(fd), { code: "EBADF" });
});
