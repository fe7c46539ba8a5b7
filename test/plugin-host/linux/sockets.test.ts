import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { createConnection, createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  boundPath,
  isCloexec,
  isLinuxError,
  isListening,
  onceReady,
  peerCredentials,
  receiveDescriptor,
  sendDescriptor,
  setCloexec,
  socketpair,
  unixListen,
  unixPathLimitBytes,
} from "#linux";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-linux-"));
test.after(() => rmSync(folder, { recursive: true }));

test("a descriptor sent over a socketpair is the same open file, close-on-exec", () => {
  const [here, there] = socketpair("seqpacket");
  const file = openSync("/dev/null", "r");
  sendDescriptor(here, file);
  const received = receiveDescriptor(there);
  assert.notEqual(received, file);
  assert.equal(fstatSync(received).rdev, fstatSync(file).rdev);
  assert.ok(isCloexec(received) && isCloexec(here) && isCloexec(there));
  for (const fd of [here, there, file, received]) closeSync(fd);
});

test("receiving says EAGAIN when nothing waits and ECONNRESET when the sender is gone", () => {
  const [here, there] = socketpair("seqpacket");
  assert.throws(() => receiveDescriptor(there), { code: "EAGAIN", syscall: "recvmsg" });
  closeSync(here);
  assert.throws(() => receiveDescriptor(there), { code: "ECONNRESET" });
  closeSync(there);
});

test("a full socketpair refuses a descriptor with EAGAIN and is writable once one was taken", async () => {
  const [here, there] = socketpair("stream");
  const file = openSync("/dev/null", "r");
  let sent = 0;
  try {
    for (;;) {
      sendDescriptor(here, file);
      sent += 1;
    }
  } catch (error) {
    assert.ok(isLinuxError(error, "EAGAIN", "ETOOMANYREFS"));
  }
  const writable = new Promise<void>((resolve) => onceReady(here, "writable", resolve));
  for (let taken = 0; taken < sent; taken += 1) closeSync(receiveDescriptor(there));
  await writable;
  for (const fd of [here, there, file]) closeSync(fd);
});

test("close-on-exec can be cleared and set", () => {
  const file = openSync("/dev/null", "r");
  setCloexec(file, false);
  assert.equal(isCloexec(file), false);
  setCloexec(file, true);
  assert.equal(isCloexec(file), true);
  closeSync(file);
});

test("a listener has its mode, leaves nothing beside it, and node:net accepts on it", async () => {
  const path = join(folder, "a.sock");
  const fd = unixListen(path, { backlog: 16, mode: 0o660, owner: { uid: process.getuid!(), gid: process.getgid!() } });
  assert.equal(statSync(path).mode & 0o777, 0o660);
  assert.deepEqual(readdirSync(folder), ["a.sock"]);
  assert.ok(isListening(fd));
  const server = createServer((socket) => socket.end());
  server.listen({ fd });
  const client = createConnection(path).resume();
  await once(client, "end");
  client.destroy();
  server.close();
  await once(server, "close");
});

test("a listener replaces a stale socket file", () => {
  const path = join(folder, "stale.sock");
  closeSync(unixListen(path, { backlog: 1, mode: 0o600 }));
  const before = statSync(path).ino;
  const fd = unixListen(path, { backlog: 1, mode: 0o600 });
  assert.notEqual(statSync(path).ino, before);
  closeSync(fd);
  rmSync(path);
});

test("a path of 104 bytes can be bound, one of 105 is refused by name", () => {
  const longest = join(folder, "x".repeat(unixPathLimitBytes - folder.length - 1));
  closeSync(unixListen(longest, { backlog: 1, mode: 0o600 }));
  assert.ok(existsSync(longest));
  rmSync(longest);
  assert.throws(() => unixListen(`${longest}x`, { backlog: 1, mode: 0o600 }), {
    code: "ENAMETOOLONG",
    path: `${longest}x`,
  });
});

test("a bind that fails names the call and the path", () => {
  const path = join(folder, "absent", "a.sock");
  assert.throws(() => unixListen(path, { backlog: 1, mode: 0o600 }), { code: "ENOENT", syscall: "bind", path });
});

test("the peer of a unix socket is known by pid, uid and gid", () => {
  const [here, there] = socketpair("stream");
  assert.deepEqual(peerCredentials(here), { pid: process.pid, uid: process.getuid!(), gid: process.getgid!() });
  closeSync(here);
  closeSync(there);
  assert.throws(() => peerCredentials(here), { code: "EBADF" });
});

test("a socket tells the path it is bound to, a nameless one none, and what is no socket is refused", async () => {
  const path = join(folder, "bound.sock");
  const server = createServer().listen(path);
  await once(server, "listening");
  const inode = /(\d+) \S*bound\.sock$/m.exec(readFileSync("/proc/net/unix", "utf8"))?.[1];
  const fds = readdirSync("/proc/self/fd").map(Number);
  const fd = fds.find((each) => statSync(`/proc/self/fd/${each}`, { throwIfNoEntry: false })?.ino === Number(inode));
  assert.equal(boundPath(fd ?? -1), path);
  server.close();
  const [one, other] = socketpair("stream");
  assert.equal(boundPath(one), undefined);
  const file = openSync("/dev/null", "r");
  assert.throws(() => boundPath(file), { code: "ENOTSOCK" });
  for (const each of [one, other, file]) closeSync(each);
});
