import { join } from "node:path";
import { execa } from "execa";
import { Images } from "#proto/gen/containerd/services/images/v1/images_pb.ts";
import { absentDigest, badDigests, badFilters } from "./bad-input.ts";
import { digestOf } from "./blobs.ts";
import { compareCases } from "./compare.ts";
import { makeImage, manifestType } from "./image-files.ts";
import { call, onlyLines, run, view, type Step } from "./steps.ts";

const target = { mediaType: manifestType, digest: digestOf("manifest"), size: 8n, annotations: { x: "1" } };

/** 200 KB of them. */
const manyLabels = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`l${index}`, "x".repeat(4000)]));

/** More than a message holds. */
const tooManyLabels = Object.fromEntries(Array.from({ length: 4400 }, (_, index) => [`l${index}`, "x".repeat(4000)]));

/** Whether it went well, and else why: what it answers is known. */
function quiet(step: Step): Step {
  return view(step, (outcome) => {
    const { code, message } = outcome as { code: number; message?: string };
    // A nanosecond more or less is a byte more or less.
    return [code, (message ?? "").replace(/\(\d+ vs\. /, "(<bytes> vs. ")];
  });
}

compareCases("images", [
  {
    title: "ctr imports, lists, exports and removes",
    prepare: makeImage,
    steps: [
      run(["image", "import", "--no-unpack", "{files}/image.tar"]),
      run(["image", "ls"]),
      run(["image", "ls", "-q"]),
      run(["image", "ls", "name==example.com/one:1"]),
      run(["content", "ls", "-q"]),
      run(["image", "import", "--no-unpack", "{files}/image.tar"]),
      run(["image", "export", "{files}/out.tar", "example.com/one:1"]),
      {
        title: "the exported archive",
        run: async ({ files }) => {
          const { stdout } = await execa("tar", ["-tf", join(files, "out.tar")]);
          const index = await execa("tar", ["-xOf", join(files, "out.tar"), "index.json"]);
          return [stdout.split("\n").sort(), index.stdout];
        },
      },
      run(["image", "label", "example.com/one:1", "a=b", "c=d"]),
      run(["image", "ls"]),
      run(["image", "label", "example.com/one:1", "a="]),
      run(["image", "label", "--replace-all", "example.com/one:1", "q=r"]),
      run(["image", "tag", "example.com/one:1", "example.com/three:3"]),
      run(["image", "tag", "example.com/one:1", "example.com/three:3"]),
      run(["image", "tag", "--force", "example.com/one:1", "example.com/three:3"]),
      run(["image", "ls", "-q"]),
      onlyLines(/NAME|example/, run(["image", "check", "--quiet"])),
      run(["image", "rm", "example.com/two:2", "example.com/absent:1"]),
      run(["image", "rm", "--sync", "example.com/three:3"]),
      run(["image", "ls", "-q"]),
    ],
  },
  {
    title: "ctr names what it misses",
    steps: [
      run(["image", "tag", "absent", "other"]),
      run(["image", "label", "absent", "a=b"]),
      run(["image", "export", "{files}/x.tar", "absent"]),
      run(["image", "ls", "name=="]),
      run(["image", "import", "--no-unpack", "{files}/absent.tar"]),
      run(["image", "rm"]),
    ],
  },
  {
    title: "an image is created, read, listed and deleted",
    steps: [
      call(Images, "create", { image: { name: "a", target, labels: { l: "1" } } }),
      call(Images, "create", { image: { name: "a", target } }),
      call(Images, "create", { image: { name: "../b c/ü", target } }),
      call(Images, "get", { name: "a" }),
      call(Images, "list", {}),
      call(Images, "delete", { name: "a" }),
      call(Images, "get", { name: "a" }),
      call(Images, "delete", { name: "a" }),
      call(Images, "list", { filters: ["name~=b c"] }),
    ],
  },
  {
    title: "bad images are refused",
    steps: [
      call(Images, "create", { image: { name: "", target } }),
      call(Images, "create", { image: { name: "n" } }),
      call(Images, "create", {}),
      call(Images, "create", { image: { name: "n", target: { ...target, mediaType: "" } } }),
      call(Images, "create", { image: { name: "n", target: { ...target, size: 0n } } }),
      call(Images, "create", { image: { name: "n", target: { ...target, size: -1n } } }),
      ...badDigests.map((digest) => call(Images, "create", { image: { name: "n", target: { ...target, digest } } })),
      call(Images, "create", { image: { name: "n", target, labels: { k: "x".repeat(4096) } } }),
      call(Images, "create", { image: { name: "n", target } }, { namespace: "" }),
      call(Images, "create", { image: { name: "n", target } }, { namespace: "bad ns" }),
      call(Images, "get", { name: "" }),
      call(Images, "get", { name: "absent" }, { namespace: "never-was" }),
      call(Images, "list", {}, { namespace: "" }),
      call(Images, "list", {}, { namespace: "never-was" }),
      call(Images, "delete", { name: "" }),
      call(Images, "delete", { name: "absent" }, { namespace: "" }),
      call(Images, "update", {}),
      call(Images, "update", { image: { name: "", target } }),
      call(Images, "update", { image: { name: "absent", target } }),
      ...badFilters.map((filter) => call(Images, "list", { filters: [filter] })),
    ],
  },
  {
    title: "updates follow their masks",
    steps: [
      call(Images, "create", { image: { name: "m", target, labels: { a: "1", b: "2" } } }),
      call(Images, "update", { image: { name: "m", labels: { a: "9", c: "3" } }, updateMask: { paths: ["labels.c"] } }),
      call(Images, "update", { image: { name: "m", labels: {} }, updateMask: { paths: ["labels.a"] } }),
      call(Images, "update", {
        image: { name: "m", target: { ...target, digest: absentDigest, annotations: { y: "2" } } },
        updateMask: { paths: ["target"] },
      }),
      call(Images, "update", {
        image: { name: "m", target: { annotations: { z: "3" } } },
        updateMask: { paths: ["annotations.z"] },
      }),
      call(Images, "update", {
        image: { name: "m", target: { annotations: { only: "4" } } },
        updateMask: { paths: ["annotations"] },
      }),
      call(Images, "update", { image: { name: "m", labels: { new: "1" } }, updateMask: { paths: ["labels"] } }),
      call(Images, "get", { name: "m" }),
      call(Images, "update", { image: { name: "m", target, labels: { all: "1" } } }),
      call(Images, "update", { image: { name: "m", labels: { all: "2" } } }),
      call(Images, "update", { image: { name: "m", target: {} }, updateMask: { paths: ["target"] } }),
      call(Images, "update", { image: { name: "m" }, updateMask: { paths: ["name"] } }),
      call(Images, "update", { image: { name: "m" }, updateMask: { paths: ["created_at"] } }),
      call(Images, "update", { image: { name: "m" }, updateMask: { paths: ["labels.x", "nothing"] } }),
      call(Images, "update", { image: { name: "m" }, updateMask: { paths: ["target.digest"] } }),
      call(Images, "update", { image: { name: "m" }, updateMask: { paths: [""] } }),
      call(Images, "get", { name: "m" }),
    ],
  },
  {
    title: "a list that no message holds is refused, parts of it are not",
    steps: [
      ...Array.from({ length: 90 }, (_, index) =>
        quiet(call(Images, "create", { image: { name: `large-${index}`, target, labels: manyLabels } })),
      ),
      quiet(call(Images, "list", {})),
      quiet(call(Images, "create", { image: { name: "too-large", target, labels: tooManyLabels } })),
      quiet(call(Images, "list", { filters: ["name==large-1", "name==large-2"] })),
    ],
  },
  {
    title: "filters see containerd's fields",
    steps: [
      ...["x/a", "x/b", "y/a"].map((name, index) =>
        call(Images, "create", { image: { name, target, labels: { n: String(index), "a.b/c": "d" } } }),
      ),
      ...[
        "name==x/a",
        "name~=^x",
        "name~=(",
        "name!=x/a",
        "labels.n==1",
        "labels.n!=1",
        'labels."a.b/c"==d',
        "labels.a.b",
        "target.digest==sha256:0",
        `target.digest==${target.digest}`,
        `target.mediatype==${manifestType}`,
        "target.size==8",
        "annotations.x==1",
        "annotations.x",
        "unknown==1",
        "name==x/a,labels.n==1",
        "name==x/a,labels.n==0",
        " name==x/a",
        'name=="x/a"',
        "name~=/^y/",
        "name~=|a$|",
        "name==/x/",
        "",
      ].map((filter) => call(Images, "list", { filters: [filter] })),
      call(Images, "list", { filters: ["name==x/a", "name==y/a"] }),
      call(Images, "list", { filters: ["name==x/a", "name=="] }),
    ],
  },
]);
