import type { Snapshot as SnapshotRecord } from "#proto/gen/bulkhead/snapshots/v1/records_pb.ts";
import type { Info } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";

/** A kind that can be mounted; the third is committed. */
export type MountableKind = "active" | "view";

/** What folders and mounts are made by. */
export interface Snapshot {
  readonly id: bigint;
  readonly kind: MountableKind;
  /** Ids of the committed snapshots below, nearest first. */
  readonly parentIds: readonly bigint[];
}

/** A stored snapshot: its record with the part that is always there. */
export interface StoredSnapshot extends SnapshotRecord {
  readonly info: Info;
}

/** What a snapshot takes of its disk, by itself. */
export interface Usage {
  /** Bytes of its blocks. */
  readonly size: bigint;
  readonly inodes: bigint;
}
