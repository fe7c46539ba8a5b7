import { gzipSync } from "node:zlib";
import { absentDigest } from "./bad-input.ts";
import { compareCases, type Case } from "./compare.ts";
import { archiveIn, writeOciArchive, type Descriptor, type MadeLayer } from "./image-archives.ts";
import { oddLayers } from "./odd-layers.ts";
import type { Outcome } from "./outcome.ts";
import { countedIds } from "./snapshot-ids.ts";
import { run, view, type Step } from "./steps.ts";
import { collect, onDisk, recorded } from "./unpacked.ts";

/** Images that cannot be unpacked: the class of the error and what is left are those of the stock daemon. */

const image = "example.com/bad:1";
const [bottom, middle] = oddLayers as readonly [Buffer, Buffer];
const sound: MadeLayer = { tar: bottom, packing: "gzip" };

type Blobs = Map<string, Buffer>;

interface BadImage {
  readonly title: string;
  /** The second layer, above one that is sound. */
  readonly layer?: Partial<MadeLayer>;
  readonly change?: (blobs: Blobs, manifest: Descriptor) => void;
}

const badImages: readonly BadImage[] = [
  { title: "a gzip with wrong bytes in the middle", layer: { spoil: (blob) => flipped(blob, blob.length >> 1) } },
  { title: "a gzip with a wrong sum", layer: { spoil: (blob) => flipped(blob, blob.length - 6) } },
  { title: "a gzip cut short", layer: { spoil: (blob) => blob.subarray(0, blob.length - 30) } },
  { title: "a zstd cut short", layer: { packing: "zstd", spoil: (blob) => blob.subarray(0, blob.length - 30) } },
  { title: "no gzip where one is promised", layer: { spoil: () => Buffer.from("not a gzip") } },
  { title: "a tar cut in an entry", layer: { spoil: () => gzipSync(bottom.subarray(0, 12_000)) } },
  { title: "a tar with a wrong header", layer: { spoil: () => gzipSync(flipped(middle, 1030)) } },
  { title: "a wrong diff id in the config", layer: { diffId: absentDigest } },
  { title: "an empty layer", layer: { spoil: () => Buffer.alloc(0) } },
  { title: "a layer that is missing", change: (blobs, manifest) => blobs.delete(layerOf(blobs, manifest)) },
  {
    title: "a layer that is not what its name says",
    change: (blobs, manifest) => blobs.set(layerOf(blobs, manifest), Buffer.from("other bytes")),
  },
  { title: "a manifest that is missing", change: (blobs, manifest) => blobs.delete(manifest.digest) },
  {
    title: "a manifest that is no JSON",
    change: (blobs, manifest) => blobs.set(manifest.digest, Buffer.alloc(manifest.size, "x")),
  },
];

/** Digest of the first layer of a manifest. */
function layerOf(blobs: Blobs, { digest }: Descriptor): string {
  const { layers } = JSON.parse(blobs.get(digest)?.toString() ?? "{}") as { layers?: Descriptor[] };
  return layers?.[0]?.digest ?? "";
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 0xff;
  return changed;
}

/** How a command ended and the class of its error; texts about a layer are each daemon's own. */
function ending(step: Step): Step {
  return view(step, (outcome: Outcome) => {
    const { code, stderr } = outcome as { code: number; stderr: string };
    return { code, class: stderr.trimEnd().split(/\n|: /).at(-1) ?? "" };
  });
}

function caseOf({ title, layer = {}, change }: BadImage, snapshotter: string): Case {
  const on = ["--snapshotter", snapshotter];
  const imported = ending(run(["image", "import", ...on, "{files}/image.tar"]));
  return {
    title: `${title} on ${snapshotter}`,
    prepare: (folder) => {
      const layers: readonly MadeLayer[] = [sound, { tar: middle, packing: "gzip", ...layer }];
      return writeOciArchive(archiveIn(folder), image, [{ family: "oci", layers }], change);
    },
    steps: [
      imported,
      ...recorded(snapshotter),
      onDisk,
      imported,
      // Layers below the bad one belong to nothing: a collection in the midst of the next command would be chance.
      ...collect,
      ending(run(["image", "mount", ...on, image, "{files}/mounted"])),
      ...recorded(snapshotter),
      run(["image", "rm", "--sync", image]),
      ...recorded(snapshotter),
      onDisk,
    ],
  };
}

compareCases(
  "bad-images",
  ["overlayfs", "native"]
    .flatMap((snapshotter) => badImages.map((bad) => caseOf(bad, snapshotter)))
    .map((item) => ({ ...item, steps: item.steps.map(countedIds) })),
);
