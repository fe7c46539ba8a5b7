import { gunzipSync } from "node:zlib";
import { execa } from "execa";
import { containerdProgram } from "../harness/peers.ts";
import { digestOf } from "./blobs.ts";
import { compareCases, type Case } from "./compare.ts";
import { archiveIn, writeOciArchive } from "./image-archives.ts";
import { oddLayers } from "./odd-layers.ts";
import { countedIds } from "./snapshot-ids.ts";
import { run, type Step } from "./steps.ts";
import { mountedTree, recorded } from "./unpacked.ts";

/** What the stock client can do with the layers of an image beside mounting it. */

const image = "example.com/odd:1";
/** Chain ids of the image, lowest first. */
const chains = oddLayers.reduce<readonly string[]>((below, tar) => {
  const parent = below.at(-1);
  return [...below, parent === undefined ? digestOf(tar) : digestOf(`${parent} ${digestOf(tar)}`)];
}, []);
const [lowest = "", , highest = ""] = chains;

/** The archive that makes one snapshot of another: its list and a digest of all contents; each daemon packs its own way. */
const diffed = (snapshotter: string, ...keys: readonly string[]): Step => ({
  title: `ctr snapshots diff ${keys.join(" ")}`,
  run: async ({ daemon, namespace }) => {
    const args = ["--address", daemon.address, "-n", namespace, "snapshots", "--snapshotter", snapshotter, "diff"];
    const result = await execa(containerdProgram("ctr"), [...args, ...keys], {
      encoding: "buffer",
      reject: false,
      env: { HOME: "/nonexistent" },
    });
    if (result.exitCode !== 0) return [result.exitCode ?? -1, Buffer.from(result.stderr).toString()];
    const tar = gunzipSync(result.stdout);
    const { stdout: list } = await execa("tar", ["--numeric-owner", "--full-time", "-tvf", "-"], { input: tar });
    const contents = await execa("tar", ["-xOf", "-"], { input: tar, encoding: "buffer" });
    // A whiteout is as old as the archive.
    const lines = list.split("\n").map((line) => line.replace(/\S+ \S+ (?=\S*\.wh\.)/, "<now> "));
    return [lines, digestOf(contents.stdout)];
  },
});

function caseOf(snapshotter: string): Case {
  const snapshots = (...args: readonly string[]) => run(["snapshots", "--snapshotter", snapshotter, ...args]);
  return {
    title: `layers are shown, compared and unpacked on ${snapshotter}`,
    prepare: (folder) =>
      writeOciArchive(archiveIn(folder), image, [
        { family: "docker", layers: oddLayers.map((tar) => ({ tar, packing: "gzip" })) },
      ]),
    steps: [
      run(["image", "import", "--no-unpack", "{files}/image.tar"]),
      {
        title: "ctr snapshots unpack",
        run: async (target) => {
          const { stdout } = (await run(["image", "ls"]).run(target)) as { stdout: string };
          return snapshots("unpack", /sha256:[0-9a-f]+/.exec(stdout)?.[0] ?? "").run(target);
        },
      },
      ...chains.map((chain) => snapshots("info", chain)),
      snapshots("mounts", "{files}/target", highest),
      snapshots("prepare", "mine", highest),
      snapshots("mounts", "{files}/target", "mine"),
      snapshots("view", "--target", "{files}/target", "seen", lowest),
      ...chains.map((chain) => diffed(snapshotter, chain)),
      diffed(snapshotter, lowest, highest),
      diffed(snapshotter, "mine"),
      diffed(snapshotter, "absent"),
      run(["image", "convert", "--oci", "--uncompress", image, "example.com/plain:1"]),
      run(["image", "rm", "--sync", image]),
      snapshots("rm", "mine"),
      ...recorded(snapshotter),
      mountedTree("example.com/plain:1", snapshotter),
      ...recorded(snapshotter),
    ],
  };
}

compareCases(
  "layers",
  ["overlayfs", "native"].map(caseOf).map((item) => ({ ...item, steps: item.steps.map(countedIds) })),
);
