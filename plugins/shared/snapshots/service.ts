import { create } from "@bufbuild/protobuf";
import { HostError, implement, type Service } from "bulkhead/plugin";
import {
  ListSnapshotsResponseSchema,
  Snapshots,
  type Info,
} from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import type { Snapshotter } from "./snapshotter.ts";

/**
 * containerd.services.snapshots.v1 as a bare back end, equal to any proxy snapshotter of containerd: requests name no
 * other snapshotter than the one asked, namespaces and leases mean nothing, events are the caller's.
 */
export function snapshotsService(snapshotter: Snapshotter): Service {
  return implement(Snapshots, {
    prepare: async ({ key, parent, labels }) => ({ mounts: await snapshotter.create("active", key, parent, labels) }),
    view: async ({ key, parent, labels }) => ({ mounts: await snapshotter.create("view", key, parent, labels) }),
    mounts: ({ key }) => ({ mounts: snapshotter.mounts(key) }),
    commit: async ({ key, name, labels }) => {
      await snapshotter.commit(key, name, labels);
      return {};
    },
    remove: async ({ key }) => {
      await snapshotter.remove(key);
      return {};
    },
    stat: ({ key }) => ({ info: snapshotter.stat(key) }),
    update: async ({ info, updateMask }) => {
      const { name, labels } = required(info);
      return { info: await snapshotter.update(name, labels, updateMask?.paths ?? []) };
    },
    async *list({ filters }) {
      for (const info of snapshotter.list(filters)) yield create(ListSnapshotsResponseSchema, { info });
    },
    usage: ({ key }) => snapshotter.usage(key),
    cleanup: async () => {
      await snapshotter.cleanup();
      return {};
    },
  });
}

function required(info: Info | undefined): Info {
  if (info === undefined) throw new HostError("invalid-argument", "update a snapshot: the request has no info");
  return info;
}
