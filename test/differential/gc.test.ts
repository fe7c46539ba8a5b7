import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { defaultDeadlineMs } from "../harness/deadline.ts";
import { digestOf } from "./blobs.ts";
import { compareCases } from "./compare.ts";
import { makeImage } from "./image-files.ts";
import type { Outcome } from "./outcome.ts";
import { countedIds } from "./snapshot-ids.ts";
import { call, run, view, type CallScope, type Step } from "./steps.ts";
import { write } from "./writes.ts";

const snapshotter = "native";
const ref = "containerd.io/gc.ref.content";
const root = "containerd.io/gc.root";
const past = "2001-01-01T00:00:00Z";

/** Runs a collection and waits for it, whatever else is deleted. */
const collect: readonly Step[] = [
  call(Leases, "create", { id: "collect" }),
  call(Leases, "delete", { id: "collect", sync: true }),
];
const lease = (id: string, labels: Record<string, string> = {}): Step => call(Leases, "create", { id, labels });
const unlease = (id: string, sync = false): Step => call(Leases, "delete", { id, sync });
const put = (text: string, labels: Record<string, string> = {}, scope: CallScope = { lease: "l" }): Step =>
  view(
    write(
      [
        { ref: `ref of ${text}`, total: text.length },
        { action: "WRITE", data: Buffer.from(text) },
        { action: "COMMIT", offset: text.length, labels },
      ],
      scope,
    ),
    codeOf,
  );
const blobs = view(call(Content, "list", {}), namesOf("info", "digest"));
const snapshots = view(call(Snapshots, "list", { snapshotter }), namesOf("info", "name"));
const leases = view(call(Leases, "list", {}), namesOf("leases", "id"));
const prepare = (key: string, parent = "", labels: Record<string, string> = {}, scope: CallScope = {}): Step =>
  view(call(Snapshots, "prepare", { snapshotter, key, parent, labels }, scope), codeOf);
const viewOf = (key: string, parent = "", scope: CallScope = {}): Step =>
  view(call(Snapshots, "view", { snapshotter, key, parent }, scope), codeOf);
const commit = (name: string, key: string, labels: Record<string, string> = {}, scope: CallScope = {}): Step =>
  call(Snapshots, "commit", { snapshotter, name, key, labels }, scope);
const image = (name: string, digest: string, labels: Record<string, string> = {}): Step =>
  view(call(Images, "create", { image: { name, labels, target: { mediaType: "m", digest, size: 1n } } }), codeOf);

function codeOf(outcome: Outcome): Outcome {
  return (outcome as { code: number }).code;
}

/** The names in a list of objects, wherever the answers are cut. */
function namesOf(list: string, name: string) {
  return (outcome: Outcome): Outcome => {
    const { code, answers } = outcome as unknown as {
      code: number;
      answers: Record<string, Record<string, string>[]>[];
    };
    return [code, answers.flatMap((answer) => answer[list] ?? []).map((item) => item[name] ?? "")];
  };
}

/** Asks again until the outcome is this one; a collection nobody waits for comes soon. */
function until(step: Step, wanted: Outcome): Step {
  return {
    title: `until it is so: ${step.title}`,
    run: async (target) => {
      const limit = Date.now() + defaultDeadlineMs;
      for (;;) {
        const outcome = await step.run(target);
        if (JSON.stringify(outcome) === JSON.stringify(wanted) || Date.now() > limit) return outcome;
      }
    },
  };
}

/** Which of these blobs the store's disk has. */
function onDisk(...texts: readonly string[]): Step {
  return {
    title: `blobs on disk of ${texts.join(", ")}`,
    run: ({ daemon }) =>
      Promise.all(
        texts.map((text) => {
          const file = join(daemon.root, "io.containerd.content.v1.content/blobs/sha256", digestOf(text).slice(7));
          return access(file).then(
            () => true,
            () => false,
          );
        }),
      ),
  };
}

/** How many folders the snapshotter has. */
const folders: Step = {
  title: "snapshot folders on disk",
  run: async ({ daemon }) => {
    const names = await readdir(join(daemon.root, `io.containerd.snapshotter.v1.${snapshotter}/snapshots`));
    return names.length;
  },
};

compareCases("gc", [
  {
    title: "an image keeps what its labels and those of its blobs name, until it is removed",
    steps: [
      lease("l"),
      put("layer"),
      put("config"),
      put("unnamed"),
      put("manifest", { [`${ref}.l.0`]: digestOf("layer"), [`${ref}/config`]: digestOf("config") }),
      put("by the image"),
      put("badly named"),
      image("i", digestOf("manifest"), { [ref]: digestOf("by the image"), [`${ref}x`]: digestOf("badly named") }),
      unlease("l", true),
      blobs,
      onDisk("layer", "unnamed", "badly named"),
      call(Images, "delete", { name: "i", sync: true }),
      blobs,
      onDisk("layer", "config", "manifest", "by the image"),
    ],
  },
  {
    title: "what nobody waits for is collected soon all the same",
    steps: [
      lease("l"),
      put("soon gone"),
      put("kept"),
      image("i", digestOf("kept")),
      unlease("l"),
      until(blobs, [0, [digestOf("kept")]]),
      call(Images, "delete", { name: "i" }),
      until(blobs, [0, []]),
      until(onDisk("soon gone", "kept"), [false, false]),
    ],
  },
  {
    title: "leases keep what they list, flat ones no more than that, expired ones nothing",
    steps: [
      lease("l"),
      put("target"),
      put("referrer", { [ref]: digestOf("target") }),
      put("flat target"),
      put("flat referrer", { [ref]: digestOf("flat target") }),
      put("other"),
      lease("full"),
      lease("flat", { "containerd.io/gc.flat": "1" }),
      lease("expired", { "containerd.io/gc.expire": past }),
      lease("offset", { "containerd.io/gc.expire": "2001-01-01T00:00:00+02:00" }),
      lease("fraction", { "containerd.io/gc.expire": "2001-01-01T00:00:00.5Z" }),
      lease("nonsense", { "containerd.io/gc.expire": "soon" }),
      lease("date", { "containerd.io/gc.expire": "2001-01-01" }),
      lease("coming", { "containerd.io/gc.expire": "2999-01-01T00:00:00Z" }),
      ...[
        ["full", "referrer"],
        ["flat", "flat referrer"],
        ["expired", "other"],
      ].map(([id = "", text = ""]) =>
        call(Leases, "addResource", { id, resource: { type: "content", id: digestOf(text) } }),
      ),
      unlease("l", true),
      blobs,
      leases,
      call(Leases, "deleteResource", { id: "full", resource: { type: "content", id: digestOf("referrer") } }),
      until(blobs, [0, [digestOf("flat referrer")]]),
      unlease("flat", true),
      blobs,
    ],
  },
  {
    title: "a lease's own labels refer to nothing",
    steps: [
      lease("l"),
      put("named by a lease"),
      lease("naming", { [ref]: digestOf("named by a lease") }),
      unlease("l", true),
      blobs,
    ],
  },
  {
    title: "roots stay whatever their value, and keep what they name",
    steps: [
      lease("l"),
      put("root", { [root]: "any", [ref]: digestOf("below the root") }),
      put("below the root"),
      put("like a root", { [`${root}.x`]: "1" }),
      unlease("l", true),
      blobs,
      call(Content, "update", { info: { digest: digestOf("root") }, updateMask: { paths: [`labels.${root}`] } }),
      ...collect,
      blobs,
    ],
  },
  {
    title: "snapshots are kept by children, labels, leases and containers",
    steps: [
      lease("l"),
      prepare("a", "", {}, { lease: "l" }),
      commit("base", "a", {}, { lease: "l" }),
      prepare("b", "base", {}, { lease: "l" }),
      commit("middle", "b", {}, { lease: "l" }),
      viewOf("of a container", "middle", { lease: "l" }),
      prepare("lone", "", {}, { lease: "l" }),
      prepare("named", "", {}, { lease: "l" }),
      prepare("rooted", "", { [root]: "1", [`containerd.io/gc.ref.snapshot.${snapshotter}/x`]: "named" }),
      prepare("of another snapshotter", "", {}, { lease: "l" }),
      call(Containers, "create", {
        container: {
          id: "c",
          snapshotter,
          snapshotKey: "of a container",
          runtime: { name: "r" },
          spec: { typeUrl: "s" },
          labels: { "containerd.io/gc.ref.snapshot.other": "of another snapshotter" },
        },
      }),
      view(folders, (count) => count),
      unlease("l", true),
      snapshots,
      call(Containers, "delete", { id: "c" }),
      ...collect,
      snapshots,
      call(Snapshots, "remove", { snapshotter, key: "rooted" }),
      ...collect,
      snapshots,
      folders,
    ],
  },
  {
    title: "a flat lease keeps a snapshot's parents, but not what its labels name",
    steps: [
      lease("l"),
      prepare("a", "", {}, { lease: "l" }),
      commit("base", "a", {}, { lease: "l" }),
      prepare("named", "", {}, { lease: "l" }),
      prepare("top", "base", { [`containerd.io/gc.ref.snapshot.${snapshotter}`]: "named" }, { lease: "l" }),
      lease("flat", { "containerd.io/gc.flat": "1" }),
      call(Leases, "addResource", { id: "flat", resource: { type: `snapshots/${snapshotter}`, id: "top" } }),
      unlease("l", true),
      snapshots,
      unlease("flat", true),
      snapshots,
      folders,
    ],
  },
  {
    title: "ctr's views vanish with the next deletion, what it prepares stays",
    steps: [
      countedIds(run(["snapshots", "--snapshotter", snapshotter, "prepare", "p"])),
      countedIds(run(["snapshots", "--snapshotter", snapshotter, "view", "v"])),
      lease("l"),
      unlease("l"),
      until(snapshots, [0, ["p"]]),
      run(["snapshots", "--snapshotter", snapshotter, "rm", "p"]),
      until(snapshots, [0, []]),
      until(folders, 0),
    ],
  },
  {
    title: "an upload is kept by its lease, or for a day",
    steps: [
      lease("l"),
      view(write([{ ref: "leased", total: 6 }], { lease: "l" }), () => null),
      view(write([{ ref: "free", total: 6 }]), () => null),
      ...collect,
      view(call(Content, "listStatuses", {}), namesOf("statuses", "ref")),
      unlease("l", true),
      view(call(Content, "listStatuses", {}), namesOf("statuses", "ref")),
      call(Content, "abort", { ref: "free" }),
    ],
  },
  {
    title: "bytes are kept while one namespace has them",
    steps: [
      lease("l"),
      put("of both"),
      call(Leases, "create", { id: "l" }, { namespace: "{ns}-other" }),
      put("of both", {}, { namespace: "{ns}-other", lease: "l" }),
      unlease("l", true),
      blobs,
      onDisk("of both"),
      call(Content, "info", { digest: digestOf("of both") }, { namespace: "{ns}-other" }),
      call(Leases, "delete", { id: "l", sync: true }, { namespace: "{ns}-other" }),
      onDisk("of both"),
    ],
  },
  {
    title: "a removed namespace takes its leases and uploads along",
    steps: [
      call(Leases, "create", { id: "l" }, { namespace: "{ns}-gone" }),
      view(write([{ ref: "upload", total: 6 }], { namespace: "{ns}-gone", lease: "l" }), () => null),
      run(["namespaces", "rm", "{ns}-gone"]),
      ...collect,
      view(call(Content, "listStatuses", {}, { namespace: "{ns}-gone" }), namesOf("statuses", "ref")),
    ],
  },
  {
    title: "ctr prunes references and removes images",
    prepare: makeImage,
    steps: [
      run(["image", "import", "--no-unpack", "{files}/image.tar"]),
      ...collect,
      run(["content", "ls", "-q"]),
      run(["content", "prune", "references"]),
      run(["content", "ls", "-q"]),
      run(["image", "rm", "--sync", "example.com/one:1"]),
      run(["content", "ls", "-q"]),
      run(["image", "rm", "--sync", "example.com/two:2"]),
      run(["content", "ls", "-q"]),
    ],
  },
]);
