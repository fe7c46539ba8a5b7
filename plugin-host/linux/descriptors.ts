import { readdirSync } from "node:fs";
import { isLinuxError, LinuxError } from "./error.ts";
import { callLibc, loadKoffi } from "./library.ts";
import { constants } from "node:os";

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** Room of a control message that holds one descriptor: header of 16, value of 4, padding of 4. */
const controlBytes = 24;
const controlUsedBytes = 20;
const messageHeaderBytes = 56;

/** One msghdr with its byte, iovec and control message; buffers stay referenced as long as it does. */
interface Message {
  readonly header: Buffer;
  readonly byte: Buffer;
  readonly vector: Buffer;
  readonly control: Buffer;
}

/** Layout of `struct msghdr` and `struct iovec` on 64-bit Linux. */
function oneByteMessage(): Message {
  const { address } = loadKoffi();
  const byte = Buffer.alloc(1);
  const vector = Buffer.alloc(16);
  const control = Buffer.alloc(controlBytes);
  const header = Buffer.alloc(messageHeaderBytes);
  vector.writeBigUInt64LE(address(byte), 0);
  vector.writeBigUInt64LE(1n, 8);
  header.writeBigUInt64LE(address(vector), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(address(control), 32);
  header.writeBigUInt64LE(BigInt(controlBytes), 40);
  return { header, byte, vector, control };
}

/**
 * Sends one descriptor over a unix socket (SCM_RIGHTS), with one byte of data. Never blocks; the sender keeps its own.
 * @throws LinuxError EAGAIN: the socket is full.
 */
export function sendDescriptor(socket: number, fd: number): void {
  const message = oneByteMessage();
  message.control.writeBigUInt64LE(BigInt(controlUsedBytes), 0);
  message.control.writeInt32LE(SOL_SOCKET, 8);
  message.control.writeInt32LE(SCM_RIGHTS, 12);
  message.control.writeInt32LE(fd, 16);
  const prototype = "long sendmsg(int fd, const void *message, int flags)";
  callLibc({ syscall: "sendmsg" }, prototype, socket, message.header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/**
 * Takes one descriptor that `sendDescriptor` sent; close-on-exec, owned by the caller. Never blocks.
 * @throws LinuxError EAGAIN: none waits; ECONNRESET: the other end is closed; ENOMSG: data came without a descriptor;
 *   EMFILE: there was no room for it.
 */
export function receiveDescriptor(socket: number): number {
  const message = oneByteMessage();
  const prototype = "long recvmsg(int fd, void *message, int flags)";
  const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
  const length = callLibc({ syscall: "recvmsg" }, prototype, socket, message.header, flags);
  if (length === 0) throw new LinuxError({ errno: constants.errno.ECONNRESET, syscall: "recvmsg" });
  return descriptorOf(message);
}

function descriptorOf(message: Message): number {
  const truncated = (message.header.readInt32LE(48) & 0x8) !== 0;
  const used = message.header.readBigUInt64LE(40);
  if (used < BigInt(controlUsedBytes)) {
    const errno = truncated ? constants.errno.EMFILE : constants.errno.ENOMSG;
    throw new LinuxError({ errno, syscall: "recvmsg" });
  }
  return message.control.readInt32LE(16);
}

/** Sets or clears close-on-exec. */
export function setCloexec(fd: number, on: boolean): void {
  const prototype = "int fcntl(int fd, int command, long argument)";
  const flags = callLibc({ syscall: "fcntl" }, prototype, fd, F_GETFD, 0);
  callLibc({ syscall: "fcntl" }, prototype, fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

/** Whether a descriptor is close-on-exec. @throws LinuxError EBADF. */
export function isCloexec(fd: number): boolean {
  const prototype = "int fcntl(int fd, int command, long argument)";
  return (callLibc({ syscall: "fcntl" }, prototype, fd, F_GETFD, 0) & FD_CLOEXEC) !== 0;
}

/** Descriptors 0, 1 and 2 are meant to be inherited. */
const firstPrivate = 3;

/**
 * Has no child inherit a descriptor that it is not given: node opens its own so, but those that this process inherited
 * would go on to all below it. To be called before the first child is started.
 * @throws LinuxError
 */
export function keepDescriptorsFromChildren(): void {
  for (const name of readdirSync("/proc/self/fd")) {
    const fd = Number(name);
    if (fd < firstPrivate) continue;
    try {
      setCloexec(fd, true);
    } catch (error) {
      if (!isLinuxError(error, "EBADF")) throw error; // the folder's own, closed by now
    }
  }
}
