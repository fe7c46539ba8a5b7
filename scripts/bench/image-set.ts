import { createHash } from "node:crypto";
import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { WriteAction, WriteContentRequestSchema } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { CreateImageRequestSchema } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import {
  CommitSnapshotRequestSchema,
  PrepareSnapshotRequestSchema,
} from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import type { Daemon } from "../../test/harness/stock-daemon.ts";
import { runLoad } from "./load.ts";

export const namespace = "bench";
export const snapshotter = "overlayfs";
export const imagesService = "/containerd.services.images.v1.Images";
export const snapshotsService = "/containerd.services.snapshots.v1.Snapshots";

const clients = 16;
const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** A message as it is sent. */
export function encoded<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Uint8Array {
  return toBinary(schema, create(schema, init));
}

export function imageName(image: number): string {
  return `example.com/image/${image}:1`;
}

/**
 * Makes images as clients leave them after a pull: a manifest that names a config and layers, and a chain of snapshots
 * that the config names. The daemon must not collect meanwhile.
 */
export async function makeImages(daemon: Daemon, count: number, layers: number, folder: string): Promise<void> {
  const all = Array.from({ length: count }, (_, image) => image);
  const send = (method: string, requests: readonly Uint8Array[], stream = false) =>
    runLoad({ socket: daemon.address, method, namespace, clients, requests, stream }, folder);
  const blobs = all.flatMap((image) => blobsOf(image, layers));
  await send("/containerd.services.content.v1.Content/Write", blobs, true);
  const target = (image: number) => ({ mediaType: manifestType, ...descriptorOf(`manifest ${image}`) });
  const images = all.map((image) =>
    encoded(CreateImageRequestSchema, { image: { name: imageName(image), target: target(image) } }),
  );
  await send(`${imagesService}/Create`, images);
  for (let layer = 0; layer < layers; layer++) {
    const parent = (image: number) => (layer === 0 ? "" : snapshotName(image, layer - 1));
    const key = (image: number) => `extract-${image}-${layer}`;
    await send(
      `${snapshotsService}/Prepare`,
      all.map((image) =>
        encoded(PrepareSnapshotRequestSchema, { snapshotter, key: key(image), parent: parent(image) }),
      ),
    );
    await send(
      `${snapshotsService}/Commit`,
      all.map((image) =>
        encoded(CommitSnapshotRequestSchema, { snapshotter, key: key(image), name: snapshotName(image, layer) }),
      ),
    );
  }
}

function snapshotName(image: number, layer: number): string {
  return descriptorOf(`chain ${image} ${layer}`).digest;
}

function descriptorOf(text: string): { readonly digest: string; readonly size: bigint } {
  return { digest: `sha256:${createHash("sha256").update(text).digest("hex")}`, size: BigInt(text.length) };
}

/** Each in the one message that writes and commits it. */
function blobsOf(image: number, layers: number): Uint8Array[] {
  const layerTexts = Array.from({ length: layers }, (_, layer) => `layer ${image} ${layer}`);
  const ref = (name: string, text: string) =>
    [`containerd.io/gc.ref.content.${name}`, descriptorOf(text).digest] as const;
  const snapshotRef = [`containerd.io/gc.ref.snapshot.${snapshotter}`, snapshotName(image, layers - 1)] as const;
  const manifestRefs = [ref("config", `config ${image}`), ...layerTexts.map((text, index) => ref(`l.${index}`, text))];
  return [
    ...layerTexts.map((text) => writeOf(text, [["containerd.io/uncompressed", descriptorOf(text).digest]])),
    writeOf(`config ${image}`, [snapshotRef]),
    writeOf(`manifest ${image}`, manifestRefs),
  ];
}

function writeOf(text: string, labels: readonly (readonly [string, string])[]): Uint8Array {
  const { digest, size } = descriptorOf(text);
  return encoded(WriteContentRequestSchema, {
    action: WriteAction.COMMIT,
    ref: text,
    total: size,
    expected: digest,
    data: Buffer.from(text),
    labels: Object.fromEntries(labels),
  });
}
