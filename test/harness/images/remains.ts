import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { clientOf, connect } from "#rpc";
import type { BulkheadDaemon } from "../bulkhead-daemon.ts";
import { defaultDeadlineMs } from "../deadline.ts";
import { layouts } from "./snapshot-layouts.ts";

export interface Emptied {
  readonly namespace: string;
  readonly snapshotter: keyof typeof layouts;
  /** For messages. */
  readonly where?: string;
}

/**
 * Removes the leases that clients could not end, and collects until a namespace whose images are gone has nothing left,
 * and the disk neither, where the namespace is the only one.
 */
export async function collectAll(daemon: BulkheadDaemon, emptied: Emptied): Promise<void> {
  using channel = connect(daemon.address);
  const scope = { metadata: { "containerd-namespace": emptied.namespace } };
  const leases = clientOf(Leases, channel);
  const limit = Date.now() + defaultDeadlineMs;
  for (;;) {
    const { leases: left } = await leases.list({}, scope);
    for (const { id } of left) await leases.delete({ id, sync: true }, scope);
    await leases.create({ id: "collect" }, scope);
    await leases.delete({ id: "collect", sync: true }, scope);
    const found = await remains(daemon, emptied);
    if (found.length === 0) return;
    assert.ok(Date.now() < limit, `${emptied.where ?? ""}: left behind: ${found.join(", ")}`);
  }
}

/** Everything that is not gone. */
async function remains(daemon: BulkheadDaemon, { namespace, snapshotter }: Emptied): Promise<string[]> {
  using channel = connect(daemon.address);
  const scope = { metadata: { "containerd-namespace": namespace } };
  const content = clientOf(Content, channel);
  const blobs = await Array.fromAsync(content.list({}, scope));
  const { statuses } = await content.listStatuses({}, scope);
  const snapshots = await Array.fromAsync(clientOf(Snapshots, channel).list({ snapshotter }, scope));
  const store = "io.containerd.content.v1.content";
  const ofSnapshots = layouts[snapshotter].folders.map((each) => `io.containerd.snapshotter.v1.${snapshotter}/${each}`);
  const onDisk = [`${store}/blobs/sha256`, `${store}/ingest`, ...ofSnapshots].map(async (folder) => {
    const names = await readdir(join(daemon.root, folder)).catch(() => []);
    return names.map((name) => `${folder}/${name}`);
  });
  return [
    ...blobs.flatMap(({ info }) => info.map(({ digest }) => `blob ${digest}`)),
    ...statuses.map(({ ref }) => `ingest ${ref}`),
    ...snapshots.flatMap(({ info }) => info.map(({ name }) => `snapshot ${name}`)),
    ...(await Promise.all(onDisk)).flat(),
  ];
}
