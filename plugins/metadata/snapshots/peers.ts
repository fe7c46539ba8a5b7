import { classedError, HostError, type Peer, type Peers } from "bulkhead/plugin";

/** Type of the peers that are snapshotters; their ids are the snapshotters' names. */
export const snapshotterType = "io.containerd.snapshotter.v1";

/** How long calls of a snapshotter may take. */
export interface CallLimits {
  /** Milliseconds for one call; a copy of a big tree takes its time. */
  readonly callMs: number;
  /** Milliseconds to wait for one that is (re)starting. */
  readonly upMs: number;
}

export const defaultLimits: CallLimits = { callMs: 600_000, upMs: 5_000 };

/**
 * The snapshotter with this name. Throws invalid-argument in containerd's words: no name, or none that is loaded;
 * unavailable for one that has failed.
 */
export function findSnapshotter(peers: Peers, name: string): Peer {
  if (name === "") throw classedError("invalid-argument", "snapshotter argument missing");
  const peer = peers.find(snapshotterType).find(({ id }) => id === name);
  if (peer === undefined || peer.state === "absent" || peer.state === "skipped") {
    throw classedError("invalid-argument", `snapshotter not loaded: ${name}`);
  }
  if (peer.state === "failed") {
    const advice = `see bulkhead plugins show ${peer.package}`;
    throw new HostError("unavailable", `snapshotter ${name} has failed; ${advice}`);
  }
  return peer;
}

/** Every snapshotter that is there, or may come. */
export function snapshotterNames(peers: Peers): string[] {
  const there = peers.find(snapshotterType).filter(({ state }) => state !== "absent" && state !== "skipped");
  return there.map(({ id }) => id);
}

/** Waits while a snapshotter is down, at most `ms`; then throws unavailable, naming it. */
export async function waitUntilUp(peers: Peers, name: string, ms: number, signal: AbortSignal): Promise<Peer> {
  const peer = findSnapshotter(peers, name);
  if (peer.state !== "down") return peer;
  const stop = new AbortController();
  const up = new Promise<void>((resolve) => {
    peers.watch(() => {
      if (!peers.find(`${snapshotterType}.${name}`).some(({ state }) => state === "down")) resolve();
    }, stop.signal);
    setTimeout(resolve, ms, undefined).unref();
    signal.addEventListener("abort", () => resolve(), { once: true, signal: stop.signal });
  });
  try {
    await up;
    signal.throwIfAborted();
  } finally {
    stop.abort();
  }
  const after = findSnapshotter(peers, name);
  if (after.state !== "down") return after;
  throw new HostError("unavailable", `snapshotter ${name} is down; see bulkhead plugins show ${after.package}`);
}
