import {
  IngestSchema,
  IntentSchema,
  MarkSchema,
  NamespaceTraceSchema,
  SnapshotSchema,
  TrashSchema,
} from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { ContainerSchema } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { InfoSchema } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { ImageSchema } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { LeaseSchema, ResourceSchema } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { NamespaceSchema } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { ownTables, table } from "../../shared/database/table.ts";

/** Every kind of record in the database. */
export const tables = {
  ...ownTables,
  /** Namespace. */
  namespace: table("namespace", NamespaceSchema),
  /** Namespace. */
  namespaceTrace: table("namespace-trace", NamespaceTraceSchema),
  /** Namespace, name. */
  image: table("image", ImageSchema),
  /** Namespace, id. */
  container: table("container", ContainerSchema),
  /** Namespace, id. */
  lease: table("lease", LeaseSchema),
  /** Namespace, lease, type, id. */
  leaseResource: table("lease-resource", ResourceSchema),
  /** Namespace, digest. */
  blob: table("blob", InfoSchema),
  /** Namespace, ref. */
  ingest: table("ingest", IngestSchema),
  /** Namespace, ref: an ingest has one commit at a time. */
  contentIntent: table("content-intent", IntentSchema),
  /** Namespace, snapshotter, key. */
  snapshot: table("snapshot", SnapshotSchema),
  /** Namespace, snapshotter, parent, child: also of children that are about to be. */
  snapshotChild: table("snapshot-child", MarkSchema),
  /** Snapshotter, back-end key, namespace, key: who has the back end's snapshot. */
  snapshotUse: table("snapshot-use", MarkSchema),
  /** Namespace, snapshotter, the key or name that is about to be. */
  snapshotIntent: table("snapshot-intent", IntentSchema),
  /** Store, key. */
  trash: table("trash", TrashSchema),
} as const;
