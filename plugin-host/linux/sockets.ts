import { chmodSync, chownSync, closeSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { constants } from "node:os";
import { isLinuxError, LinuxError } from "./error.ts";
import { callLibc } from "./library.ts";

const AF_UNIX = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_ACCEPTCONN = 30;
const MSG_DONTWAIT = 0x40;
const socketTypes = { stream: 1, datagram: 2, seqpacket: 5 } as const;

/** Longest path of a unix socket, in bytes: containerd's limit, below the kernel's 107. */
export const unixPathLimitBytes = 104;
const kernelPathLimitBytes = 107;

export type SocketType = keyof typeof socketTypes;

/** Both ends of a new unix socketpair, close-on-exec. The caller owns both descriptors. */
export function socketpair(type: SocketType): readonly [number, number] {
  const pair = new Int32Array(2);
  const prototype = "int socketpair(int domain, int type, int protocol, int32_t *pair)";
  callLibc({ syscall: "socketpair" }, prototype, AF_UNIX, socketTypes[type] | SOCK_CLOEXEC, 0, pair);
  return [pair[0] ?? -1, pair[1] ?? -1];
}

/** What has arrived on a socket, at most `buffer`'s length, without waiting: bytes, 0 at its end, undefined: nothing. */
export function receiveNow(fd: number, buffer: Buffer): number | undefined {
  const prototype = "long recv(int fd, void *buffer, size_t size, int flags)";
  try {
    return callLibc({ syscall: "recv" }, prototype, fd, buffer, buffer.length, MSG_DONTWAIT);
  } catch (error) {
    if (isLinuxError(error, "EAGAIN")) return undefined;
    throw error;
  }
}

/** A new unix socket, close-on-exec. The caller owns the descriptor. */
export function unixSocket(type: SocketType, options: { readonly nonblocking: boolean }): number {
  const flags = socketTypes[type] | SOCK_CLOEXEC | (options.nonblocking ? SOCK_NONBLOCK : 0);
  return callLibc({ syscall: "socket" }, "int socket(int domain, int type, int protocol)", AF_UNIX, flags, 0);
}

/**
 * sockaddr_un of a path, or of an abstract name when it begins with "@".
 * @throws LinuxError ENAMETOOLONG.
 */
export function unixAddress(path: string): Buffer {
  const name = Buffer.from(path);
  if (name.length > kernelPathLimitBytes) {
    throw new LinuxError({ errno: constants.errno.ENAMETOOLONG, syscall: "bind", path });
  }
  const abstract = path.startsWith("@");
  const address = Buffer.alloc(2 + name.length + (abstract ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  if (abstract) address[2] = 0;
  return address;
}

export interface UnixListenOptions {
  /** Connections that wait for an accept; the kernel caps it at net.core.somaxconn. */
  readonly backlog: number;
  /** Permission bits of the socket file, like 0o660. */
  readonly mode: number;
  /** Owner of the socket file; undefined: left as created. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * A listening unix stream socket at `path`, close-on-exec and non-blocking; the caller owns the descriptor.
 * Bound aside, given its mode and owner, and renamed over `path`: who sees the file can connect, and whatever
 * lay there (a stale socket) is replaced without a gap.
 * @throws LinuxError, ENAMETOOLONG above `unixPathLimitBytes`; Node's own errors of chmod, chown, rename.
 */
export function unixListen(path: string, options: UnixListenOptions): number {
  if (Buffer.byteLength(path) > unixPathLimitBytes) {
    throw new LinuxError({ errno: constants.errno.ENAMETOOLONG, syscall: "bind", path });
  }
  // Two bytes longer than the path itself, so still within the kernel's limit; `ss -x` goes on showing this name.
  const aside = join(dirname(path), `.${basename(path)}~`);
  rmSync(aside, { force: true });
  const fd = unixSocket("stream", { nonblocking: true });
  try {
    const address = unixAddress(aside);
    const prototype = "int bind(int fd, const void *address, unsigned int length)";
    callLibc({ syscall: "bind", path }, prototype, fd, address, address.length);
    chmodSync(aside, options.mode);
    if (options.owner !== undefined) chownSync(aside, options.owner.uid, options.owner.gid);
    callLibc({ syscall: "listen", path }, "int listen(int fd, int backlog)", fd, options.backlog);
    renameSync(aside, path);
  } catch (error) {
    closeSync(fd);
    rmSync(aside, { force: true });
    throw error;
  }
  return fd;
}

/**
 * A stream connection to a unix socket, close-on-exec and non-blocking; the caller owns the descriptor.
 * @throws LinuxError ECONNREFUSED: nobody listens; ENOENT; EAGAIN: its backlog is full.
 */
export function unixConnect(path: string): number {
  const address = unixAddress(path);
  const fd = unixSocket("stream", { nonblocking: true });
  try {
    const prototype = "int connect(int fd, const void *address, unsigned int length)";
    callLibc({ syscall: "connect", path }, prototype, fd, address, address.length);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export interface PeerCredentials {
  readonly pid: number;
  /** Effective ids of the peer when it connected (or listened). */
  readonly uid: number;
  readonly gid: number;
}

/** Who is at the other end of a connected unix socket (SO_PEERCRED). */
export function peerCredentials(fd: number): PeerCredentials {
  const answer = new Int32Array(3);
  getSocketOption(fd, SO_PEERCRED, answer);
  return { pid: answer[0] ?? 0, uid: (answer[1] ?? 0) >>> 0, gid: (answer[2] ?? 0) >>> 0 };
}

/**
 * The path a unix socket is bound to, "@" before an abstract name; undefined: it is bound to none, or of another family.
 * @throws LinuxError ENOTSOCK, EBADF.
 */
export function boundPath(fd: number): string | undefined {
  const address = Buffer.alloc(2 + kernelPathLimitBytes + 1);
  const length = new Uint32Array([address.length]);
  const prototype = "int getsockname(int fd, void *address, uint32_t *length)";
  callLibc({ syscall: "getsockname" }, prototype, fd, address, length);
  const name = address.subarray(2, Math.min(length[0] ?? 0, address.length));
  if (address.readUInt16LE(0) !== AF_UNIX || name.length === 0) return undefined;
  if (name[0] === 0) return `@${name.toString("utf8", 1)}`;
  const end = name.indexOf(0);
  return name.toString("utf8", 0, end < 0 ? name.length : end);
}

/** Whether a descriptor is a listening socket. @throws LinuxError ENOTSOCK, EBADF. */
export function isListening(fd: number): boolean {
  const answer = new Int32Array(1);
  getSocketOption(fd, SO_ACCEPTCONN, answer);
  return answer[0] === 1;
}

function getSocketOption(fd: number, option: number, answer: Int32Array): void {
  const length = new Uint32Array([answer.byteLength]);
  const prototype = "int getsockopt(int fd, int level, int option, void *value, uint32_t *length)";
  callLibc({ syscall: "getsockopt" }, prototype, fd, SOL_SOCKET, option, answer, length);
}
