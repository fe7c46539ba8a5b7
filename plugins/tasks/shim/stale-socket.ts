import { readFileSync, rmSync } from "node:fs";

/** Where containerd's own shims listen; no other file is anybody's to remove. */
const shimSocket = /^unix:\/\/(\/run\/containerd\/s\/[0-9a-f]{64})$/;

/**
 * Removes the socket file of a shim that was killed, which nobody else would. One that somebody has open stays: a shim
 * may hold other containers, too. Never throws.
 */
export function removeStaleSocket(address: string | undefined): void {
  const [, path] = shimSocket.exec(address ?? "") ?? [];
  if (path === undefined) return;
  try {
    if (!readFileSync("/proc/net/unix", "utf8").includes(path)) rmSync(path, { force: true });
  } catch {
    // It stays, as containerd leaves it.
  }
}
