import { fromBinary } from "@bufbuild/protobuf";
import { SnapshotSchema } from "#proto/gen/bulkhead/metadata/v1/records_pb.ts";
import { InfoSchema } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import type { Lease } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { nanosOf } from "#proto/wire/timestamp.ts";
import type { Reader } from "../../shared/database/reader.ts";
import { tables } from "../database/tables.ts";
import { byteBlocks, recordBlocks } from "../listing.ts";
import { traceOf } from "../namespaces.ts";
import { mentionsCollection, textField } from "./glance.ts";
import { Graph } from "./graph.ts";
import {
  blobNode,
  containerLinks,
  containerNode,
  imageLinks,
  imageNode,
  ingestNode,
  isExpired,
  isFlat,
  isRoot,
  labelKeepers,
  leaseNode,
  resourceNode,
  snapshotNode,
  type Node,
} from "./nodes.ts";
import { blobLinks, ingestLinks, intentNodes, snapshotLinks } from "./records.ts";
import type { Slices } from "./slices.ts";

export interface ScanOptions {
  readonly slices: Slices;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/**
 * Reads a namespace into a graph, a block of records at a time: what is written meanwhile may or may not be in it, and
 * is in the change log all the same (containerd metadata/gc.go, scanRoots and scanAll).
 */
export async function scanNamespace(reader: Reader, namespace: string, options: ScanOptions): Promise<Graph> {
  const scan = new NamespaceScan(reader, namespace, options);
  await scan.run();
  return scan.graph;
}

class NamespaceScan {
  readonly graph = new Graph();
  readonly #reader: Reader;
  readonly #namespace: string;
  readonly #options: ScanOptions;

  constructor(reader: Reader, namespace: string, options: ScanOptions) {
    this.#reader = reader;
    this.#namespace = namespace;
    this.#options = options;
  }

  async run(): Promise<void> {
    await this.#leases();
    await this.#images();
    await this.#containers();
    await this.#content();
    await this.#snapshots();
    await this.#intents();
  }

  async #leases(): Promise<void> {
    for (const leases of recordBlocks(this.#reader, tables.lease, [this.#namespace])) {
      for (const lease of leases) await this.#lease(lease);
    }
  }

  async #lease({ id, labels }: Lease): Promise<void> {
    this.graph.add(leaseNode(id));
    if (isExpired(labels, this.#options.nowMs)) return;
    this.graph.addRoot(leaseNode(id));
    const flat = isFlat(labels);
    for (const resources of recordBlocks(this.#reader, tables.leaseResource, [this.#namespace, id])) {
      for (const resource of resources) {
        if (flat) this.graph.addFlatRoot(resourceNode(resource));
        else this.graph.addRoot(resourceNode(resource));
      }
      await this.#pause();
    }
  }

  async #images(): Promise<void> {
    for (const images of recordBlocks(this.#reader, tables.image, [this.#namespace])) {
      for (const image of images) {
        this.graph.add(imageNode(image.name), { links: imageLinks(image), flat: [] });
        this.#keepers(imageNode(image.name), image.labels);
        if (!isExpired(image.labels, this.#options.nowMs)) this.graph.addRoot(imageNode(image.name));
      }
      await this.#pause();
    }
  }

  async #containers(): Promise<void> {
    for (const containers of recordBlocks(this.#reader, tables.container, [this.#namespace])) {
      for (const container of containers) {
        const node = containerNode(container.id);
        this.graph.add(node, { links: containerLinks(container), flat: [] });
        this.graph.addRoot(node);
      }
      await this.#pause();
    }
  }

  async #content(): Promise<void> {
    for (const blobs of byteBlocks(this.#reader, tables.blob, [this.#namespace])) {
      for (const bytes of blobs) this.#blob(bytes);
      await this.#pause();
    }
    for (const ingests of recordBlocks(this.#reader, tables.ingest, [this.#namespace])) {
      for (const ingest of ingests) {
        this.graph.add(ingestNode(ingest.ref), ingestLinks(ingest));
        const { expiresAt } = ingest;
        const isFresh = expiresAt !== undefined && Number(nanosOf(expiresAt) / 1_000_000n) >= this.#options.nowMs;
        if (isFresh) this.graph.addRoot(ingestNode(ingest.ref));
      }
      await this.#pause();
    }
  }

  async #snapshots(): Promise<void> {
    for (const snapshotter of traceOf(this.#reader, this.#namespace).snapshotters) {
      for (const snapshots of byteBlocks(this.#reader, tables.snapshot, [this.#namespace, snapshotter])) {
        for (const bytes of snapshots) this.#snapshot(snapshotter, bytes);
        await this.#pause();
      }
    }
  }

  #blob(bytes: Uint8Array): void {
    const node = blobNode(textField(bytes, InfoSchema.field.digest.number));
    if (!mentionsCollection(bytes)) return this.graph.add(node);
    const blob = fromBinary(InfoSchema, bytes);
    this.graph.add(node, blobLinks(blob));
    this.#keepers(node, blob.labels);
    if (isRoot(blob.labels)) this.graph.addRoot(node);
  }

  #snapshot(snapshotter: string, bytes: Uint8Array): void {
    const { key, parent } = SnapshotSchema.field;
    const node = snapshotNode(snapshotter, textField(bytes, key.number));
    if (!mentionsCollection(bytes)) {
      const above = textField(bytes, parent.number);
      const flat = above === "" ? [] : [snapshotNode(snapshotter, above)];
      return this.graph.add(node, { links: flat, flat });
    }
    const snapshot = fromBinary(SnapshotSchema, bytes);
    this.graph.add(node, snapshotLinks(snapshot));
    this.#keepers(node, snapshot.labels);
    if (isRoot(snapshot.labels)) this.graph.addRoot(node);
  }

  #keepers(node: Node, labels: Readonly<Record<string, string>>): void {
    for (const keeper of labelKeepers(labels)) this.graph.addKeeper(node, keeper);
  }

  async #intents(): Promise<void> {
    for (const table of [tables.contentIntent, tables.snapshotIntent]) {
      for (const intents of recordBlocks(this.#reader, table, [this.#namespace])) {
        for (const intent of intents) for (const node of intentNodes(intent)) this.graph.addRoot(node);
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    return this.#options.slices.pause(this.#options.signal);
  }
}
