import type { Socket } from "node:net";
import { peerCredentials } from "#linux";

/** Why the process at the other end is not to be spoken with; undefined: it is of this user and group. */
export function peerProblem(socket: Socket): string | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return "its descriptor is not known";
  const { uid, gid } = peerCredentials(fd);
  if (uid === process.geteuid?.() && gid === process.getegid?.()) return undefined;
  return `it is served by uid ${uid} and gid ${gid}`;
}

/** Node shows a socket's descriptor nowhere else. */
function descriptorOf(socket: Socket): number | undefined {
  const handle = (socket as unknown as { readonly _handle: { readonly fd?: number } | null })._handle;
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}
