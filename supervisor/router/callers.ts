import type { Socket } from "node:net";
import { loadLinux } from "./load-linux.ts";
import type { Caller } from "./routing.ts";

const callers = new Map<number, Caller>();

/** Who a client of the main socket is: its user id, as the kernel knows it. */
export function callerOnMain(socket: Socket): Caller {
  const uid = peerUid(socket);
  let caller = callers.get(uid);
  if (caller === undefined) {
    caller = { packageName: undefined, label: uid < 0 ? "unknown" : `uid:${uid}` };
    callers.set(uid, caller);
  }
  return caller;
}

/** User id at the other end; -1: it cannot be told. */
function peerUid(socket: Socket): number {
  const handle = (socket as Socket & { readonly _handle?: { readonly fd?: number } | null })._handle;
  const fd = handle?.fd ?? -1;
  if (fd < 0) return -1;
  return loadLinux().peerCredentials(fd).uid;
}
