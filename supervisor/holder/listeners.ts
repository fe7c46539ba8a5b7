import { chownSync, closeSync, existsSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { isLinuxError, makeFolderPath, peerCredentials, unixConnect, unixListen, unixPathLimitBytes } from "#linux";
import type { SocketConfig } from "../config/config.ts";
import { describeCause, StartFailure } from "./start-failure.ts";
import type { InheritedListeners } from "./systemd.ts";

/** Connections that wait while the router restarts. */
export const backlog = 4096;
const socketMode = 0o660;
const parentMode = 0o770;

/** The sockets clients connect to. Owns: both descriptors, and the files of those it bound itself. */
export class Listeners implements Disposable {
  readonly main: number;
  readonly ttrpc: number;
  readonly #bound: readonly string[];

  private constructor(main: number, ttrpc: number, bound: readonly string[]) {
    this.main = main;
    this.ttrpc = ttrpc;
    this.#bound = bound;
  }

  /**
   * Opens both: systemd's where it passed them, else bound anew in place of stale ones. `isOwn` says which processes
   * are what is left of a daemon that died.
   * Throws StartFailure for one that is in use, or cannot be bound.
   */
  static open(
    addresses: { grpc: SocketConfig; ttrpc: SocketConfig },
    inherited: InheritedListeners,
    isOwn: (pid: number) => boolean,
  ): Listeners {
    const ttrpc = inherited.ttrpc ?? bindSocket("ttrpc", addresses.ttrpc, isOwn);
    try {
      const main = inherited.main ?? bindSocket("grpc", addresses.grpc, isOwn);
      return new Listeners(main, ttrpc, [
        ...(inherited.main === undefined ? [addresses.grpc.address] : []),
        ...(inherited.ttrpc === undefined ? [addresses.ttrpc.address] : []),
      ]);
    } catch (error) {
      closeSync(ttrpc);
      if (inherited.ttrpc === undefined) rmSync(addresses.ttrpc.address, { force: true });
      throw error;
    }
  }

  /** Takes over those of a router that outlived its holder; systemd's own are used where it passed them again. */
  static adopt(
    addresses: { grpc: SocketConfig; ttrpc: SocketConfig },
    inherited: InheritedListeners,
    live: { readonly main: number; readonly ttrpc: number },
  ): Listeners {
    const choose = (ours: number | undefined, theirs: number): number => {
      if (ours === undefined) return theirs;
      closeSync(theirs); // the same socket
      return ours;
    };
    return new Listeners(choose(inherited.main, live.main), choose(inherited.ttrpc, live.ttrpc), [
      ...(inherited.main === undefined ? [addresses.grpc.address] : []),
      ...(inherited.ttrpc === undefined ? [addresses.ttrpc.address] : []),
    ]);
  }

  /** Removes the files first, so that nobody connects to a listener that is going. */
  [Symbol.dispose](): void {
    for (const path of this.#bound) rmSync(path, { force: true });
    closeSync(this.main);
    closeSync(this.ttrpc);
  }
}

function bindSocket(key: "grpc" | "ttrpc", config: SocketConfig, isOwn: (pid: number) => boolean): number {
  const { address, uid, gid } = config;
  if (Buffer.byteLength(address) > unixPathLimitBytes) throw tooLong(key, address);
  try {
    makeParent(config);
    refuseLiveSocket(key, address, isOwn);
    return unixListen(address, { backlog, mode: socketMode, owner: ownerToSet(uid, gid) });
  } catch (error) {
    if (error instanceof StartFailure) throw error;
    const advice = `see "address" of [${key}] in the config`;
    throw new StartFailure(`cannot listen on ${address}: ${describeCause(error)}; ${advice}`, { cause: error });
  }
}

/** containerd's text, and what to do. */
function tooLong(key: "grpc" | "ttrpc", address: string): StartFailure {
  const advice = key === "grpc" ? "a shorter --address or --state" : 'a shorter "address" of [grpc] or [ttrpc]';
  return new StartFailure(`"${address}": unix socket path too long (> ${unixPathLimitBytes}); choose ${advice}`);
}

/** As containerd: made and given away only when it was missing. */
function makeParent({ address, uid, gid }: SocketConfig): void {
  const parent = dirname(address);
  if (existsSync(parent)) return;
  makeFolderPath(parent, parentMode);
  const owner = ownerToSet(uid, gid);
  if (owner !== undefined) chownSync(parent, owner.uid, owner.gid);
}

/** undefined: new files are that user's anyway, and a plain user may not say so. */
function ownerToSet(uid: number, gid: number): { uid: number; gid: number } | undefined {
  return uid === process.geteuid?.() && gid === process.getegid?.() ? undefined : { uid, gid };
}

/**
 * Throws StartFailure when another process serves the socket. One whose listening process is gone is what is left of
 * a daemon that died (its router or a package still holds the listener), and so is a package that accepts on it itself: no
 * reason not to start.
 */
function refuseLiveSocket(key: "grpc" | "ttrpc", address: string, isOwn: (pid: number) => boolean): void {
  const pid = listeningPid(address);
  if (pid === undefined || !(pid === 0 || existsSync(`/proc/${pid}`)) || isOwn(pid)) return;
  const who = pid === 0 ? "a process outside this pid namespace" : `process ${pid}`;
  const flag = key === "grpc" ? "pass --address" : 'set "address" of [ttrpc] in the config';
  throw new StartFailure(`${address} is in use: ${who} listens on it; stop it, or ${flag} to use another socket`);
}

/** Who listens on a socket; undefined: nobody answers there; 0: someone this namespace cannot see. */
function listeningPid(address: string): number | undefined {
  let fd: number;
  try {
    fd = unixConnect(address);
  } catch (error) {
    if (isLinuxError(error, "EAGAIN")) return 0; // its backlog is full, so someone listens
    if (isLinuxError(error, "ENOENT", "ECONNREFUSED", "EPROTOTYPE")) return undefined;
    throw error;
  }
  try {
    return peerCredentials(fd).pid;
  } finally {
    closeSync(fd);
  }
}
