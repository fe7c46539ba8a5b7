import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { ctr } from "../harness/ctr.ts";
import { readTree, type EntryFacts } from "../harness/tree-facts.ts";
import type { Outcome } from "./outcome.ts";
import { call, run, sortedLines, type Step, type Target } from "./steps.ts";

/** Times after this, in nanoseconds, are those of the test and not of an archive. */
const newestMade = 1_700_000_000_000_000_000n;

/** Mounts an image with the stock client, gives all that can be told of its tree, and unmounts it. */
export function mountedTree(image: string, snapshotter: string): Step {
  return {
    title: `the tree of ${image} on ${snapshotter}`,
    run: async ({ daemon, namespace, files }) => {
      const target = join(files, "mounted");
      await mkdir(target, { recursive: true });
      const onImages = (...args: readonly string[]) => ctr(daemon.address, ["image", ...args], { namespace });
      const { code, stderr } = await onImages("mount", "--snapshotter", snapshotter, image, target);
      if (code !== 0) return { code, stderr };
      try {
        return Object.entries(readMadeTree(target)).map(([path, facts]) => ({ path, ...facts }));
      } finally {
        await onImages("unmount", "--snapshotter", snapshotter, "--rm", target);
      }
    },
  };
}

/** Facts of a tree that layers made; times of folders that no layer has are those of the test. */
export function readMadeTree(top: string): Record<string, EntryFacts> {
  const isNow = ({ mtime }: EntryFacts) => mtime !== undefined && BigInt(mtime) > newestMade;
  return Object.fromEntries(
    Object.entries(readTree(top)).map(([path, facts]) => [path, isNow(facts) ? { ...facts, mtime: "<now>" } : facts]),
  );
}

/** Runs a collection and waits for it: one that nobody waits for comes when it comes. */
export const collect: readonly Step[] = [
  call(Leases, "create", { id: "collect" }),
  call(Leases, "delete", { id: "collect", sync: true }),
];

/** All that a namespace's image commands tell: records, blobs with labels, snapshots, leases. */
export function recorded(snapshotter: string): readonly Step[] {
  const snapshots = (...args: readonly string[]) => run(["snapshots", "--snapshotter", snapshotter, ...args]);
  return [
    ...collect,
    sortedLines(run(["image", "ls"])),
    sortedLines(run(["image", "check", "--snapshotter", snapshotter])),
    // Not as ctr prints it: labels' values may have commas.
    call(Content, "list", {}),
    run(["content", "active"]),
    snapshots("ls"),
    snapshots("tree"),
    sortedLines(snapshots("usage")),
    run(["leases", "ls"]),
  ];
}

/** What the daemon's disk holds, whoever asks: blobs, ingests, and how many snapshots' folders. */
export const onDisk: Step = {
  title: "what is on the disk",
  run: async ({ daemon }: Target): Promise<Outcome> => {
    const names = async (...parts: readonly string[]): Promise<string[]> => {
      const all = await readdir(join(daemon.root, ...parts)).catch(() => []);
      return all.toSorted((one, other) => (one < other ? -1 : 1));
    };
    const folders = async (snapshotter: string): Promise<number> =>
      (await names(`io.containerd.snapshotter.v1.${snapshotter}`, "snapshots")).length;
    return {
      blobs: await names("io.containerd.content.v1.content/blobs/sha256"),
      ingests: (await names("io.containerd.content.v1.content/ingest")).length,
      overlayfs: await folders("overlayfs"),
      native: await folders("native"),
    };
  },
};
