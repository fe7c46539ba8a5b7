import { implement, type CallContext, type Service } from "bulkhead/plugin";
import {
  Snapshots,
  type PrepareSnapshotRequest,
  type ViewSnapshotRequest,
} from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { classedError, HostError, isHostError } from "#proto/wire/errors.ts";
import { compileFilters } from "#proto/wire/filters.ts";
import { callerOf, type Caller } from "./caller.ts";
import { commitSnapshot, createSnapshot, removeSnapshotOf, type CreateKind } from "./snapshots/operations.ts";
import type { SnapshotParts } from "./snapshots/parts.ts";
import { listSnapshots, statSnapshot, updateSnapshot } from "./snapshots/queries.ts";
import { getSnapshot, type SnapshotScope } from "./snapshots/snapshots.ts";

/** containerd.services.snapshots.v1 (services/snapshots/service.go) over database and snapshotters. */
export function snapshotsService(parts: SnapshotParts): Service {
  /** The snapshotter is looked for first, as in containerd. */
  const begin = ({ snapshotter }: { readonly snapshotter: string }, context: CallContext) => {
    const backEnd = parts.backEnd(snapshotter);
    const caller: Caller = callerOf(context);
    const scope: SnapshotScope = { namespace: caller.namespace, snapshotter };
    return { backEnd, caller, scope };
  };
  const make = async (
    kind: CreateKind,
    request: PrepareSnapshotRequest | ViewSnapshotRequest,
    context: CallContext,
  ) => {
    const { caller, scope } = begin(request, context);
    const { key, parent, labels } = request;
    return { mounts: await createSnapshot(parts, caller, kind, { scope, lease: caller.lease, key, parent, labels }) };
  };
  return implement(Snapshots, {
    prepare: (request, context) => make("prepare", request, context),
    view: (request, context) => make("view", request, context),
    async mounts(request, context) {
      const { backEnd, caller, scope } = begin(request, context);
      const { backEndKey } = getSnapshot(parts.database, scope, request.key);
      return { mounts: await backEnd.mounts(backEndKey, caller) };
    },
    async commit(request, context) {
      const { caller, scope } = begin(request, context);
      const { name, key, labels } = request;
      await commitSnapshot(parts, caller, { scope, lease: caller.lease, name, key, labels });
      return {};
    },
    async remove(request, context) {
      const { caller, scope } = begin(request, context);
      await removeSnapshotOf(parts, caller, scope, request.key);
      return {};
    },
    async stat(request, context) {
      const { caller, scope } = begin(request, context);
      return { info: await statSnapshot(parts, caller, scope, request.key) };
    },
    async update(request, context) {
      const { caller, scope } = begin(request, context);
      const { name = "", labels = {} } = request.info ?? {};
      if (name === "") throw new HostError("invalid-argument", "invalid argument");
      return { info: await updateSnapshot(parts, caller, scope, { name, labels }, request.updateMask?.paths ?? []) };
    },
    async *list(request, context) {
      parts.backEnd(request.snapshotter);
      const { caller, scope } = unclassed(() => begin(request, context));
      const filter = unclassed(() => compileFilters(request.filters));
      for await (const info of listSnapshots(parts, caller, scope, filter)) {
        yield { info };
      }
    },
    async usage(request, context) {
      const { backEnd, caller, scope } = begin(request, context);
      const { backEndKey } = getSnapshot(parts.database, scope, request.key);
      return backEnd.usage(backEndKey, caller);
    },
    cleanup(request) {
      parts.backEnd(request.snapshotter);
      throw classedError("unimplemented", "snapshotter does not implement Cleanup method");
    },
  });
}

/** containerd leaves the errors of List without their class. */
function unclassed<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!isHostError(cause)) throw cause;
    throw new HostError("unknown", cause.message, { cause });
  }
}
