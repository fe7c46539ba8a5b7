import { after, before } from "node:test";
import { startDockerRegistry, type DockerRegistry } from "../harness/docker-registry.ts";
import { skipWithout } from "../harness/peers.ts";
import { compareCases, type Case } from "./compare.ts";
import {
  archiveIn,
  nativeArchitecture,
  otherArchitecture,
  writeOciArchive,
  type MadeImage,
  type MadeLayer,
} from "./image-archives.ts";
import { oddLayers } from "./odd-layers.ts";
import type { Outcome } from "./outcome.ts";
import { countedIds } from "./snapshot-ids.ts";
import { run, type Step, type Target } from "./steps.ts";
import { collect, mountedTree, onDisk, recorded } from "./unpacked.ts";

/** Images go through a real registry, each daemon's into a repository of its own, and come back to either daemon. */

const peers = ["docker-registry"];
let registry: DockerRegistry;
before(async () => {
  if (skipWithout({ peers }) === false) registry = await startDockerRegistry();
});
after(() => registry?.[Symbol.asyncDispose]());

const snapshotter = "overlayfs";
const [bottom, middle, top] = oddLayers as readonly [Buffer, Buffer, Buffer];
const layers = (packing: MadeLayer["packing"]): readonly MadeLayer[] => [
  { tar: bottom, packing: "gzip" },
  { tar: middle, packing: "gzip" },
  { tar: top, packing },
];

/** What is pushed and pulled, by tag. */
const images: Readonly<Record<string, readonly MadeImage[]>> = {
  oci: [{ family: "oci", layers: layers("gzip") }],
  zstd: [{ family: "oci", layers: layers("zstd") }],
  docker: [{ family: "docker", layers: layers("gzip") }],
  index: [
    { family: "oci", layers: layers("gzip"), architecture: nativeArchitecture },
    { family: "oci", layers: [{ tar: top, packing: "gzip" }], architecture: otherArchitecture },
  ],
  list: [
    { family: "docker", layers: layers("plain"), architecture: nativeArchitecture },
    { family: "docker", layers: [{ tar: top, packing: "gzip" }], architecture: otherArchitecture },
  ],
};

/** A repository in the registry: this daemon's, the other's, or one that nobody has. */
type Side = "own" | "other" | "absent";

/** Repositories by daemon, equally long: lists have columns. */
const owners = { stock: "a", bulkhead: "b" } as const;

function reference(tag: string, side: Side, { daemon }: Target): string {
  const own = owners[daemon.name];
  const other = own === "a" ? "b" : "a";
  return `${registry.host}/${{ own, other, absent: "absent" }[side]}/odd:${tag}`;
}

/** A step about an image of the registry, made when its port is known; what is said of it is said of any. */
function onImage(tag: string, side: Side, make: (name: string) => Step): Step {
  const { title } = make(`<registry>/${side}/odd:${tag}`);
  return {
    title,
    run: async (target) => anyRegistry(await make(reference(tag, side, target)).run(target)),
  };
}

function anyRegistry(outcome: Outcome): Outcome {
  const text = JSON.stringify(outcome)
    .replaceAll(registry.host, "<registry>")
    .replaceAll(/\b[ab]\/odd/g, "<side>/odd");
  return JSON.parse(text) as Outcome;
}

/** How far a transfer was when it was drawn is chance, and so is whether its end cut a look at it short. */
function withoutProgress(step: Step): Step {
  return {
    title: step.title,
    run: async (target) => {
      const { code, stderr } = (await step.run(target)) as { code: number; stderr: string };
      return { code, stderr: stderr.replace(/^time=.*error="context canceled"\n/gm, "") };
    },
  };
}

const pull = (tag: string, side: Side, ...flags: readonly string[]): Step =>
  onImage(tag, side, (name) =>
    withoutProgress(run(["image", "pull", "--plain-http", "--snapshotter", snapshotter, ...flags, name])),
  );
const push = (tag: string, ...flags: readonly string[]): Step =>
  onImage(tag, "own", (name) => withoutProgress(run(["image", "push", "--plain-http", ...flags, name])));
const remove = (tag: string, side: Side): Step => onImage(tag, side, (name) => run(["image", "rm", "--sync", name]));
const everything = recorded(snapshotter).map((step) => onImage("any", "own", () => step));

const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
].join(", ");

/** What the registry tells of an image. */
const served = (tag: string): Step => ({
  title: `what the registry has of ${tag}`,
  run: async ({ daemon }) => {
    const url = `http://${registry.host}/v2/${owners[daemon.name]}/odd/manifests/${tag}`;
    const { status, headers } = await fetch(url, { headers: { accept: manifestTypes } });
    return [status, headers.get("content-type"), headers.get("docker-content-digest")];
  },
});

const tags = Object.keys(images);

const cases: readonly Case[] = [
  ...tags.map(
    (tag): Case => ({
      title: `${tag}: an image is pushed`,
      prepare: (folder) => writeOciArchive(archiveIn(folder), "example.com/odd:1", images[tag] ?? []),
      steps: [
        run(["image", "import", "--all-platforms", "--no-unpack", "{files}/image.tar"]),
        push(tag),
        onImage(tag, "own", (name) => run(["image", "tag", "example.com/odd:1", name])),
        push(tag),
        served(tag),
        push(tag),
        ...everything,
        run(["image", "rm", "--sync", "example.com/odd:1"]),
        remove(tag, "own"),
      ],
    }),
  ),
  ...tags.map(
    (tag): Case => ({
      title: `${tag}: what the other daemon pushed is pulled`,
      steps: [
        pull(tag, "other"),
        ...everything,
        onImage(tag, "other", (name) => mountedTree(name, snapshotter)),
        pull(tag, "other", "--label", "again=1"),
        pull(tag, "own", "--all-platforms", "--label", "again=1"),
        ...everything,
        remove(tag, "own"),
        remove(tag, "other"),
        ...everything,
        onDisk,
      ],
    }),
  ),
  {
    title: "part of an image is pulled, or nothing",
    steps: [
      pull("index", "other", "--platform", `linux/${otherArchitecture}`),
      ...everything,
      pull("list", "other", "--all-metadata"),
      ...everything,
      pull("oci", "absent"),
      pull("absent", "own"),
      ...collect,
      remove("index", "other"),
      remove("list", "other"),
      ...everything,
      onDisk,
    ],
  },
];

compareCases(
  "pull",
  cases.map((item) => ({ ...item, steps: item.steps.map(countedIds) })),
  { peers },
);
