import { fromBinary } from "@bufbuild/protobuf";
import type { Ingest, Intent, Snapshot } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { ContainerSchema } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { InfoSchema, type Info } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { ImageSchema } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { ResourceSchema } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { IngestSchema, IntentSchema, SnapshotSchema } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import type { Reader } from "../../shared/database/reader.ts";
import type { Change } from "../../shared/database/transaction.ts";
import { tables } from "../database/tables.ts";
import type { Links } from "./graph.ts";
import {
  blobNode,
  containerLinks,
  containerNode,
  imageLinks,
  imageNode,
  ingestNode,
  labelLinks,
  leaseNode,
  namedBy,
  resourceNode,
  snapshotNode,
  type Node,
} from "./nodes.ts";

export function blobLinks({ labels }: Info): Links {
  return { links: labelLinks(labels), flat: [] };
}

export function snapshotLinks({ snapshotter, parent, labels }: Snapshot): Links {
  const flat = parent === "" ? [] : [snapshotNode(snapshotter, parent)];
  return { links: [...flat, ...labelLinks(labels)], flat };
}

/** An upload that another namespace's blob stands for keeps that blob. */
export function ingestLinks({ shared }: Ingest): Links {
  return { links: shared === "" ? [] : [blobNode(shared)], flat: [] };
}

/** What an operation that is open needs, and what it is about to make. */
export function intentNodes({ operation }: Intent): Node[] {
  switch (operation.case) {
    case "contentCommit":
      return [ingestNode(operation.value.ref), blobNode(operation.value.digest)];
    case "snapshotCreate": {
      const { snapshotter, key, parent, labels } = operation.value;
      const above = parent === "" ? [] : [snapshotNode(snapshotter, parent)];
      return [snapshotNode(snapshotter, key), ...above, ...labelLinks(labels)];
    }
    case "snapshotCommit": {
      const { snapshotter, key, name, labels } = operation.value;
      return [snapshotNode(snapshotter, key), snapshotNode(snapshotter, name), ...labelLinks(labels)];
    }
    default:
      return [];
  }
}

/** What an object of the database refers to as it is now. */
export function linksOf(reader: Reader, namespace: string, node: Node): readonly Node[] {
  const named = namedBy(node);
  switch (named.kind) {
    case "blob": {
      const blob = reader.get(tables.blob, [namespace, named.digest]);
      return blob === undefined ? [] : blobLinks(blob).links;
    }
    case "snapshot": {
      const snapshot = reader.get(tables.snapshot, [namespace, named.snapshotter, named.key]);
      return snapshot === undefined ? [] : snapshotLinks(snapshot).links;
    }
    case "ingest": {
      const ingest = reader.get(tables.ingest, [namespace, named.ref]);
      return ingest === undefined ? [] : ingestLinks(ingest).links;
    }
    case "image": {
      const image = reader.get(tables.image, [namespace, named.name]);
      return image === undefined ? [] : imageLinks(image);
    }
    case "container":
    case "lease":
      return [];
  }
}

/** What a record that was written keeps from now on, and whose namespace that is; undefined: nothing. */
export function keptBy({ table, parts, value }: Change): { namespace: string; nodes: Node[] } | undefined {
  const [namespace, name] = parts ?? [];
  if (value === undefined || namespace === undefined || name === undefined) return undefined;
  const nodes = nodesOf(table.name, name, value);
  return nodes && { namespace, nodes };
}

function nodesOf(table: string, name: string, value: Uint8Array): Node[] | undefined {
  switch (table) {
    case tables.image.name:
      return [imageNode(name), ...imageLinks(fromBinary(ImageSchema, value))];
    case tables.container.name:
      return [containerNode(name), ...containerLinks(fromBinary(ContainerSchema, value))];
    case tables.lease.name:
      return [leaseNode(name)];
    case tables.leaseResource.name:
      return [leaseNode(name), resourceNode(fromBinary(ResourceSchema, value))];
    case tables.blob.name:
      return [blobNode(name), ...blobLinks(fromBinary(InfoSchema, value)).links];
    case tables.ingest.name:
      return [ingestNode(name), ...ingestLinks(fromBinary(IngestSchema, value)).links];
    case tables.snapshot.name: {
      const snapshot = fromBinary(SnapshotSchema, value);
      return [snapshotNode(snapshot.snapshotter, snapshot.key), ...snapshotLinks(snapshot).links];
    }
    case tables.contentIntent.name:
    case tables.snapshotIntent.name:
      return intentNodes(fromBinary(IntentSchema, value));
    default:
      return undefined;
  }
}
