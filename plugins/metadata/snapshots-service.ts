import { implement, type Service } from "bulkhead/plugin";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { classedError } from "#proto/wire/errors.ts";

/**
 * containerd.services.snapshots.v1. No snapshotter package is a peer yet, so every name is unknown; here each call
 * will find its snapshotter among the peers of `io.containerd.snapshotter.v1`.
 */
export function snapshotsService(): Service {
  return implement(Snapshots, {
    prepare: ({ snapshotter }) => findSnapshotter(snapshotter),
    view: ({ snapshotter }) => findSnapshotter(snapshotter),
    mounts: ({ snapshotter }) => findSnapshotter(snapshotter),
    commit: ({ snapshotter }) => findSnapshotter(snapshotter),
    remove: ({ snapshotter }) => findSnapshotter(snapshotter),
    stat: ({ snapshotter }) => findSnapshotter(snapshotter),
    update: ({ snapshotter }) => findSnapshotter(snapshotter),
    // oxlint-disable-next-line require-yield -- a stream that fails before its first message
    async *list({ snapshotter }) {
      findSnapshotter(snapshotter);
    },
    usage: ({ snapshotter }) => findSnapshotter(snapshotter),
    cleanup: ({ snapshotter }) => findSnapshotter(snapshotter),
  });
}

/** Throws invalid-argument: no name, or none that is loaded. */
function findSnapshotter(name: string): never {
  if (name === "") throw classedError("invalid-argument", "snapshotter argument missing");
  throw classedError("invalid-argument", `snapshotter not loaded: ${name}`);
}
