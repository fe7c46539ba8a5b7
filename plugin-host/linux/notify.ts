import { closeSync } from "node:fs";
import { callLibc } from "./library.ts";
import { unixAddress, unixSocket } from "./sockets.ts";

const MSG_NOSIGNAL = 0x4000;

/**
 * Sends one datagram to a unix socket (a path, or "@name" for an abstract one), as sd_notify does. Never waits.
 * @throws LinuxError ECONNREFUSED or ENOENT: nobody listens there, EAGAIN: it is full.
 */
export function sendDatagram(address: string, text: string): void {
  const fd = unixSocket("datagram", { nonblocking: true });
  try {
    const data = Buffer.from(text);
    const to = unixAddress(address);
    const prototype =
      "long sendto(int fd, const void *data, size_t length, int flags, const void *address, unsigned int size)";
    callLibc({ syscall: "sendto", path: address }, prototype, fd, data, data.length, MSG_NOSIGNAL, to, to.length);
  } finally {
    closeSync(fd);
  }
}

/**
 * Tells systemd a state like "READY=1" through the socket `NOTIFY_SOCKET` names; false: there is none.
 * @throws LinuxError as `sendDatagram`.
 */
export function notifySystemd(socket: string | undefined, state: string): boolean {
  if (socket === undefined || socket === "") return false;
  sendDatagram(socket, state);
  return true;
}
