import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type MadeEntry, tarOf } from "../plugins/differ/tar-builder.ts";
import { digestOf } from "./blobs.ts";

/** What points at a blob. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

export interface MadeLayer {
  readonly tar: Buffer;
  readonly packing: "plain" | "gzip" | "zstd";
  /** Changes the packed bytes, whose digest the manifest has. */
  readonly spoil?: (blob: Buffer) => Buffer;
  /** What the config says that the layer is, where it lies. */
  readonly diffId?: string;
}

export interface MadeImage {
  readonly layers: readonly MadeLayer[];
  readonly family: "oci" | "docker";
  readonly architecture?: string;
  /** What containers of it get, as its config says it. */
  readonly config?: Readonly<Record<string, unknown>>;
}

type Blobs = Map<string, Buffer>;

/** Media types by family; OCI's layers have a suffix for their packing. */
const types = {
  oci: {
    config: "application/vnd.oci.image.config.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    index: "application/vnd.oci.image.index.v1+json",
    layers: {
      plain: "application/vnd.oci.image.layer.v1.tar",
      gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
      zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
    },
  },
  docker: {
    config: "application/vnd.docker.container.image.v1+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    layers: {
      plain: "application/vnd.docker.image.rootfs.diff.tar",
      gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
      zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
    },
  },
} as const;

/** Architecture of this machine as images name it, and one that it is not. */
export const [nativeArchitecture, otherArchitecture] =
  process.arch === "arm64" ? (["arm64", "amd64"] as const) : (["amd64", "arm64"] as const);

/**
 * Writes an archive in the OCI layout of one image, or of an index when there are several. `change` sees the blobs by
 * digest before they are packed.
 */
export async function writeOciArchive(
  path: string,
  name: string,
  images: readonly MadeImage[],
  change: (blobs: Blobs, manifest: Descriptor) => void = () => {},
): Promise<void> {
  const blobs: Blobs = new Map();
  const manifests = images.map((image) => addImage(blobs, image));
  const [first] = manifests;
  if (first === undefined) throw new Error(`${path}: no image`);
  const family = images[0]?.family ?? "oci";
  const target =
    manifests.length === 1
      ? first
      : addJson(blobs, { schemaVersion: 2, mediaType: types[family].index, manifests }, types[family].index);
  change(blobs, first);
  const index = {
    schemaVersion: 2,
    manifests: [{ ...target, annotations: { "io.containerd.image.name": name } }],
  };
  await writeFile(
    path,
    tarOf([
      { name: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' },
      ...[...blobs].map(([digest, data]): MadeEntry => ({ name: `blobs/sha256/${digest.slice(7)}`, data })),
      { name: "index.json", data: JSON.stringify(index) },
    ]),
  );
}

/** Writes an archive as `docker save` makes them, of plain layers. */
export async function writeDockerArchive(path: string, name: string, layers: readonly Buffer[]): Promise<void> {
  const config = Buffer.from(JSON.stringify(configOf(layers.map((tar) => ({ tar, packing: "plain" })))));
  const configName = `${digestOf(config).slice(7)}.json`;
  const files = layers.map((data, index): MadeEntry => ({ name: `layer${index}/layer.tar`, data }));
  const manifest = [{ Config: configName, RepoTags: [name], Layers: files.map((file) => file.name) }];
  await writeFile(
    path,
    tarOf([...files, { name: configName, data: config }, { name: "manifest.json", data: JSON.stringify(manifest) }]),
  );
}

/** The path of an archive in a case's folder. */
export function archiveIn(folder: string): string {
  return join(folder, "image.tar");
}

function addImage(blobs: Blobs, image: MadeImage): Descriptor {
  const { layers, family, architecture = nativeArchitecture, config: given } = image;
  const media = types[family];
  const packed = layers.map((layer) => {
    const { spoil = (blob) => blob } = layer;
    return add(blobs, spoil(pack(layer)), media.layers[layer.packing]);
  });
  const config = addJson(blobs, configOf(layers, architecture, given), media.config);
  const manifest = { schemaVersion: 2, mediaType: media.manifest, config, layers: packed };
  return { ...addJson(blobs, manifest, media.manifest), platform: { os: "linux", architecture } };
}

function configOf(
  layers: readonly MadeLayer[],
  architecture: string = nativeArchitecture,
  config: MadeImage["config"] = { Cmd: ["/bin/tool"] },
): unknown {
  const diffIds = layers.map(({ tar, diffId }) => diffId ?? digestOf(tar));
  const rootfs = { type: "layers", diff_ids: diffIds };
  return { architecture, os: "linux", config, rootfs };
}

function pack({ tar, packing }: MadeLayer): Buffer {
  if (packing === "gzip") return gzipSync(tar);
  return packing === "zstd" ? zstdCompressSync(tar) : tar;
}

function add(blobs: Blobs, bytes: Buffer, mediaType: string): Descriptor {
  const digest = digestOf(bytes);
  blobs.set(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

function addJson(blobs: Blobs, value: unknown, mediaType: string): Descriptor {
  return add(blobs, Buffer.from(JSON.stringify(value)), mediaType);
}
