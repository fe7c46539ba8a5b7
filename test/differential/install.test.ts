import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { archiveIn, writeOciArchive, type MadeLayer } from "./image-archives.ts";
import { compareCases, type Case } from "./compare.ts";
import { type MadeEntry, tarOf } from "../plugins/differ/tar-builder.ts";
import { run, type Step } from "./steps.ts";
import { readMadeTree } from "./unpacked.ts";

const image = "example.com/tools:1";

const lower: readonly MadeEntry[] = [
  { name: "bin/", type: "5", mode: 0o755 },
  { name: "bin/tool", data: "#!/bin/sh\necho one\n", mode: 0o755, uid: 3, gid: 4 },
  { name: "bin/again", type: "1", link: "bin/tool" },
  { name: "bin/link", type: "2", link: "tool" },
  { name: "bin/sub/", type: "5", mode: 0o700 },
  { name: "bin/sub/deep", data: "too deep" },
  { name: "lib/", type: "5", mode: 0o755 },
  { name: "lib/libx.so", data: "library" },
  { name: "usr/bin/other", data: "elsewhere" },
  { name: "./bin/dotted", data: "same folder by another spelling" },
];
/** Replaces and removes what the lower layer brings. */
const upper: readonly MadeEntry[] = [
  { name: "bin/new", data: "new" },
  { name: "bin/.wh.link", data: "" },
  { name: "lib/libx.so", data: "newer library" },
];

const layer = (entries: readonly MadeEntry[], packing: MadeLayer["packing"] = "gzip"): MadeLayer => ({
  tar: tarOf(entries),
  packing,
});

/** An archive of these layers, and the folder to install into, which ctr does not make. */
const prepared =
  (...layers: readonly MadeLayer[]) =>
  async (folder: string): Promise<void> => {
    await mkdir(join(folder, "opt"));
    await writeOciArchive(archiveIn(folder), image, [{ family: "oci", layers }]);
  };

const imported = run(["image", "import", "--no-unpack", "{files}/image.tar"]);
const install = (...flags: readonly string[]): Step => run(["install", "--path", "{files}/opt", ...flags, image]);

const installed: Step = {
  title: "what is installed",
  run: ({ files }) =>
    Promise.resolve(Object.entries(readMadeTree(join(files, "opt"))).map(([path, facts]) => ({ path, ...facts }))),
};

const cases: readonly Case[] = [
  {
    title: "programs alone, again, and replaced",
    prepare: prepared(layer(lower)),
    steps: [imported, install(), installed, install(), install("--replace"), installed],
  },
  {
    title: "libraries, too, of layers one over the other",
    prepare: prepared(layer(lower), layer(upper, "zstd")),
    steps: [imported, install("--libs"), installed, install("--libs", "--replace"), installed],
  },
  {
    title: "into the folder of optional programs, where none is named",
    prepare: prepared(layer(lower)),
    steps: [
      imported,
      run(["install", "--libs", image]),
      {
        title: "what is installed there",
        run: ({ daemon }) => {
          const tree = readMadeTree(daemon.folder.join("opt"));
          return Promise.resolve(Object.entries(tree).map(([path, facts]) => ({ path, ...facts })));
        },
      },
      run(["install", image]),
    ],
  },
  {
    title: "what is in the way stays as it is",
    prepare: async (folder) => {
      await prepared(layer(lower, "plain"), layer(upper))(folder);
      await mkdir(join(folder, "opt/bin"));
      await writeFile(join(folder, "opt/bin/tool"), "mine");
    },
    steps: [imported, install(), installed, install("--replace"), installed],
  },
  {
    title: "an image whose layers are damaged or gone",
    prepare: prepared(layer(lower), {
      ...layer(upper),
      spoil: (blob) => blob.subarray(0, blob.length - 20),
    }),
    steps: [imported, install("--libs", "--replace"), run(["install", "--path", "{files}/opt", "absent"])],
  },
];

compareCases("install", cases);
