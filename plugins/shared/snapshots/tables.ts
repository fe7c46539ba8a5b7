import { ChildSchema, IdSchema, SnapshotSchema } from "#proto/gen/bulkhead/snapshots/v1/records_pb.ts";
import { table } from "../database/table.ts";

/** Every kind of record of a snapshotter, beside those that each database has. */
export const tables = {
  /** Name. */
  snapshot: table("snapshot", SnapshotSchema),
  /** Id. */
  id: table("id", IdSchema),
  /** Id of a parent, id of its child. */
  child: table("child", ChildSchema),
} as const;
