import { createHash } from "node:crypto";
import { join } from "node:path";
import { execa } from "execa";
import {
  archiveIn,
  nativeArchitecture,
  otherArchitecture,
  writeDockerArchive,
  writeOciArchive,
} from "./image-archives.ts";
import type { Case } from "./compare.ts";
import { oddLayers } from "./odd-layers.ts";
import { countedIds } from "./snapshot-ids.ts";
import { run, type Step } from "./steps.ts";
import { mountedTree, onDisk, recorded } from "./unpacked.ts";

const image = "example.com/odd:1";
const [bottom, middle, top] = oddLayers as readonly [Buffer, Buffer, Buffer];
const packed = (packing: "plain" | "gzip" | "zstd") => [
  { tar: bottom, packing: "gzip" as const },
  { tar: middle, packing: "gzip" as const },
  { tar: top, packing },
];

/** From an archive to a tree and to nothing, on one snapshotter. */
function wayOf(
  snapshotter: string,
  title: string,
  prepare: (folder: string) => Promise<void>,
  flags: string[] = [],
): Case {
  const on = ["--snapshotter", snapshotter];
  return {
    title: `${title} on ${snapshotter}`,
    prepare,
    steps: [
      run(["image", "import", ...on, ...flags, "{files}/image.tar"]),
      ...recorded(snapshotter),
      mountedTree(image, snapshotter),
      run(["snapshots", ...on, "ls"]),
      run(["leases", "ls"]),
      run(["image", "rm", "--sync", image]),
      ...recorded(snapshotter),
      onDisk,
    ],
  };
}

const oci = (packing: "plain" | "gzip" | "zstd") => (folder: string) =>
  writeOciArchive(archiveIn(folder), image, [{ family: "oci", layers: packed(packing) }]);

const indexed = (folder: string) =>
  writeOciArchive(archiveIn(folder), image, [
    { family: "oci", layers: packed("gzip"), architecture: nativeArchitecture },
    { family: "oci", layers: [{ tar: top, packing: "gzip" }], architecture: otherArchitecture },
  ]);

/** Names and hashes of an exported archive's files. */
const exported = (file: string): Step => ({
  title: `what is in ${file}`,
  run: async ({ files }) => {
    const { stdout: list } = await execa("tar", ["-tf", join(files, file)]);
    const hashes = list.split("\n").map(async (name) => {
      const { stdout } = await execa("tar", ["-xOf", join(files, file), name], { encoding: "buffer" });
      return `${name} ${createHash("sha256").update(stdout).digest("hex")}`;
    });
    return Promise.all(hashes);
  },
});

/** Every way that the stock client has with an image that it unpacked. */
function handled(snapshotter: string): Case {
  const on = ["--snapshotter", snapshotter];
  const imported = run(["image", "import", ...on, "{files}/image.tar"]);
  return {
    title: `an image is exported, tagged, labelled, taken in again and removed on ${snapshotter}`,
    prepare: oci("zstd"),
    steps: [
      imported,
      run(["image", "export", "{files}/out.tar", image]),
      exported("out.tar"),
      run(["image", "tag", image, "example.com/other:2"]),
      run(["image", "label", image, "a=b"]),
      run(["image", "rm", "--sync", image]),
      ...recorded(snapshotter),
      mountedTree("example.com/other:2", snapshotter),
      run(["image", "import", ...on, "{files}/out.tar"]),
      ...recorded(snapshotter),
      run(["image", "rm", "--sync", image, "example.com/other:2"]),
      ...recorded(snapshotter),
      onDisk,
      imported,
      imported,
      ...recorded(snapshotter),
      run(["image", "mount", ...on, "--rw", image, "{files}/one"]),
      run(["image", "mount", ...on, image, "{files}/one"]),
      run(["image", "mount", ...on, "absent", "{files}/two"]),
      run(["leases", "ls", "-q"]),
      run(["image", "unmount", ...on, "{files}/one"]),
      run(["snapshots", ...on, "ls"]),
      run(["image", "unmount", ...on, "--rm", "{files}/one"]),
      run(["snapshots", ...on, "ls"]),
      run(["image", "rm", "--sync", image]),
      onDisk,
    ],
  };
}

/** An index of two architectures, of which a client takes its own or all. */
function multiPlatform(snapshotter: string): Case {
  const on = ["--snapshotter", snapshotter];
  const fresh = [run(["image", "rm", "--sync", image]), onDisk];
  return {
    title: `an index of two platforms is taken in, whole or in part, on ${snapshotter}`,
    prepare: indexed,
    steps: [
      run(["image", "import", ...on, "{files}/image.tar"]),
      ...recorded(snapshotter),
      run(["image", "export", "--all-platforms", "{files}/all.tar", image]),
      run(["image", "export", "--platform", `linux/${nativeArchitecture}`, "{files}/own.tar", image]),
      exported("own.tar"),
      ...fresh,
      run(["image", "import", ...on, "--all-platforms", "{files}/image.tar"]),
      ...recorded(snapshotter),
      mountedTree(image, snapshotter),
      run(["image", "export", "--all-platforms", "{files}/all.tar", image]),
      exported("all.tar"),
      run(["image", "convert", "--platform", `linux/${nativeArchitecture}`, image, "example.com/converted:1"]),
      ...recorded(snapshotter),
      ...fresh,
      run(["image", "rm", "--sync", "example.com/converted:1"]),
      onDisk,
      run(["image", "import", ...on, "--no-unpack", "--digests", "{files}/image.tar"]),
      ...recorded(snapshotter),
      run(["image", "import", ...on, "--platform", `linux/${otherArchitecture}`, "{files}/image.tar"]),
      ...recorded(snapshotter),
      run(["content", "prune", "references"]),
      ...recorded(snapshotter),
    ],
  };
}

const counted = (item: Case): Case => ({ ...item, steps: item.steps.map((step: Step) => countedIds(step)) });

/** What is done with images on a snapshotter. */
export function unpackCases(snapshotter: string): readonly Case[] {
  return [
    wayOf(snapshotter, "an OCI archive with gzip and zstd layers is unpacked", oci("zstd")),
    wayOf(snapshotter, "an OCI archive with a plain layer is unpacked", oci("plain")),
    wayOf(snapshotter, "a docker archive is unpacked", (folder) =>
      writeDockerArchive(archiveIn(folder), image, oddLayers),
    ),
    handled(snapshotter),
    multiPlatform(snapshotter),
  ].map(counted);
}
