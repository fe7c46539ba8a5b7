import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { badFilters, badNames } from "./bad-input.ts";
import { compareCases } from "./compare.ts";
import { call, run } from "./steps.ts";

const specType = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
const spec = { typeUrl: specType, value: Buffer.from('{"ociVersion":"1.0.2"}') };
const runtime = { name: "io.containerd.runc.v2" };
/** No text, and no message. */
const odd = Buffer.from([0, 255, 254, 8, 1, 128]);
const full = {
  labels: { a: "1" },
  image: "example.com/one:1",
  runtime: { name: runtime.name, options: { typeUrl: "containerd.runc.v1.Options", value: new Uint8Array() } },
  spec,
  snapshotter: "overlayfs",
  snapshotKey: "key",
  extensions: { ext: { typeUrl: "x/y", value: Buffer.from("z") } },
};

compareCases("containers", [
  {
    title: "ctr creates from a folder, lists, shows, labels and removes",
    prepare: async (folder) => {
      await mkdir(join(folder, "rootfs"));
    },
    steps: [
      run(["containers", "create", "--rootfs", "{files}/rootfs", "one", "/bin/true"]),
      run(["containers", "ls"]),
      run(["containers", "ls", "-q"]),
      run(["containers", "ls", "id==one"]),
      run(["containers", "ls", "id==two"]),
      run(["containers", "info", "one"]),
      run(["containers", "label", "one", "k=v", "x=y"]),
      run(["containers", "label", "one", "k="]),
      run(["containers", "ls", "labels.x==y"]),
      run(["containers", "create", "--rootfs", "{files}/rootfs", "one", "/bin/true"]),
      run(["namespaces", "rm", "{ns}"]),
      run(["containers", "rm", "one"]),
      run(["containers", "ls", "-q"]),
      run(["containers", "create", "--rootfs", "{files}/rootfs", "two", "/bin/true"]),
      run(["containers", "rm", "--keep-snapshot", "two", "absent"]),
      run(["containers", "ls"]),
    ],
  },
  {
    title: "ctr names what it misses",
    steps: [
      run(["containers", "info", "absent"]),
      run(["containers", "rm", "absent"]),
      run(["containers", "label", "absent", "a=b"]),
      run(["containers", "ls", "id=="]),
      run(["containers", "info", "bad id"]),
      run(["containers", "create", "absent-image", "x"]),
    ],
  },
  {
    title: "a container is created, read, listed and deleted",
    steps: [
      call(Containers, "create", { container: { id: "a", ...full } }),
      call(Containers, "create", { container: { id: "a", ...full } }),
      call(Containers, "create", { container: { id: "b", runtime, spec } }),
      call(Containers, "get", { id: "a" }),
      call(Containers, "list", {}),
      call(Containers, "listStream", {}),
      call(Containers, "list", { filters: ["id==b"] }),
      call(Containers, "listStream", { filters: ["id==b"] }),
      call(Containers, "delete", { id: "a" }),
      call(Containers, "get", { id: "a" }),
      call(Containers, "delete", { id: "a" }),
      call(Containers, "listStream", {}),
    ],
  },
  {
    title: "bad containers are refused",
    steps: [
      ...badNames.map((id) => call(Containers, "create", { container: { id, ...full } })),
      ...badNames.map((id) => call(Containers, "get", { id })),
      ...badNames.map((id) => call(Containers, "delete", { id })),
      call(Containers, "create", {}),
      call(Containers, "create", { container: { id: "n", spec } }),
      call(Containers, "create", { container: { id: "n", runtime: { name: "" }, spec } }),
      call(Containers, "create", { container: { id: "n", runtime } }),
      call(Containers, "create", { container: { id: "n", runtime, spec, snapshotKey: "key" } }),
      call(Containers, "create", { container: { id: "n", runtime, spec, labels: { k: "x".repeat(4096) } } }),
      call(Containers, "create", { container: { id: "n", runtime, spec, extensions: { "": spec } } }),
      call(Containers, "create", { container: { id: "n", runtime, spec, extensions: { e: {} } } }),
      call(Containers, "create", { container: { id: "n", runtime, spec, snapshotter: "no-such" } }),
      call(Containers, "create", { container: { id: "o", runtime, spec } }, { namespace: "" }),
      call(Containers, "create", { container: { id: "o", runtime, spec } }, { namespace: "bad ns" }),
      call(Containers, "get", { id: "o" }, { namespace: "never-was" }),
      call(Containers, "list", {}, { namespace: "never-was" }),
      call(Containers, "listStream", {}, { namespace: "never-was" }),
      call(Containers, "list", {}, { namespace: "" }),
      call(Containers, "listStream", {}, { namespace: "" }),
      ...badFilters.map((filter) => call(Containers, "list", { filters: [filter] })),
      ...badFilters.map((filter) => call(Containers, "listStream", { filters: [filter] })),
      call(Containers, "update", {}),
      call(Containers, "update", { container: { id: "" } }),
      call(Containers, "update", { container: { id: "absent", ...full } }),
      call(Containers, "update", {
        container: { id: "absent", labels: { a: "b" } },
        updateMask: { paths: ["labels.a"] },
      }),
    ],
  },
  {
    title: "updates follow their masks",
    steps: [
      call(Containers, "create", { container: { id: "m", ...full } }),
      ...[
        { container: { id: "m", labels: { b: "2", c: "3" } }, updateMask: { paths: ["labels.b"] } },
        { container: { id: "m", labels: {} }, updateMask: { paths: ["labels.a"] } },
        { container: { id: "m", labels: { z: "1" } }, updateMask: { paths: ["labels"] } },
        { container: { id: "m", image: "other" }, updateMask: { paths: ["image"] } },
        {
          container: { id: "m", spec: { typeUrl: specType, value: Buffer.from("{}") } },
          updateMask: { paths: ["spec"] },
        },
        { container: { id: "m", spec: {} }, updateMask: { paths: ["spec"] } },
        { container: { id: "m", snapshotKey: "k2" }, updateMask: { paths: ["snapshotkey"] } },
        { container: { id: "m", snapshotKey: "k3" }, updateMask: { paths: ["snapshot_key"] } },
        { container: { id: "m", snapshotter: "native" }, updateMask: { paths: ["snapshotter"] } },
        { container: { id: "m", extensions: { e2: spec } }, updateMask: { paths: ["extensions.e2"] } },
        { container: { id: "m", extensions: { e3: spec } }, updateMask: { paths: ["extensions"] } },
        { container: { id: "m", runtime: { name: "other" } }, updateMask: { paths: ["runtime"] } },
        { container: { id: "m" }, updateMask: { paths: ["id"] } },
        { container: { id: "m" }, updateMask: { paths: [""] } },
        { container: { id: "m" }, updateMask: { paths: ["labels.x", "created_at"] } },
        { container: { id: "m", ...full } },
        { container: { id: "m", ...full, runtime: { name: "other" } } },
        { container: { id: "m", ...full, snapshotter: "native" } },
        { container: { id: "m", runtime, spec } },
      ].flatMap((request) => [call(Containers, "update", request), call(Containers, "get", { id: "m" })]),
    ],
  },
  {
    title: "specs, options and extensions are kept to the byte, whatever they are",
    steps: [
      ...[
        { spec: { typeUrl: "", value: odd } },
        { spec: { typeUrl: "no/such.Type", value: new Uint8Array() } },
        { spec: {}, runtime: { name: "x y", options: {} } },
        { spec, runtime: { name: "/abs/path", options: { typeUrl: "t/u", value: odd } } },
        { spec: { typeUrl: specType, value: Buffer.alloc(1024 * 1024, "{") } },
        { spec, image: "not a reference", snapshotter: "none", snapshotKey: "a/b c" },
        { spec, extensions: { "a.b/c": { typeUrl: "", value: odd }, empty: {}, ü: spec } },
        { spec, labels: { "a.b/c": "ü", "": "1" } },
        { spec, labels: { empty: "", kept: "1" } },
      ].flatMap((container, index) => [
        call(Containers, "create", { container: { id: `v${index}`, runtime, ...container } }),
        call(Containers, "get", { id: `v${index}` }),
        run(["containers", "info", `v${index}`]),
      ]),
      ...[
        {
          container: { id: "v0", labels: { "d.e/f": "1" }, extensions: { "x.y": spec } },
          paths: ["labels.d.e/f", "extensions.x.y"],
        },
        { container: { id: "v0", labels: { "d.e/f": "" } }, paths: ["labels.d.e/f"] },
        { container: { id: "v0", extensions: { "x.y": {} } }, paths: ["extensions.x.y"] },
        { container: { id: "v0", extensions: { "": spec } }, paths: ["extensions."] },
        { container: { id: "v0", labels: { "": "1" } }, paths: ["labels."] },
        { container: { id: "v0" }, paths: ["spec"] },
        { container: { id: "v0", snapshotKey: "k" }, paths: ["snapshotkey"] },
        { container: { id: "v0", image: "i" }, paths: ["image", "image"] },
        { container: { id: "v0", createdAt: { seconds: 1n }, image: "j" }, paths: ["image"] },
      ].flatMap(({ container, paths }) => [
        call(Containers, "update", { container, updateMask: { paths } }),
        call(Containers, "get", { id: "v0" }),
      ]),
      call(Containers, "list", {}),
    ],
  },
  {
    title: "filters see containerd's fields",
    steps: [
      ...["x1", "x2", "y"].map((id, index) =>
        call(Containers, "create", { container: { id, ...full, image: `img/${index}`, labels: { n: String(index) } } }),
      ),
      ...[
        "id==x1",
        "id~=^x",
        "runtime.name==io.containerd.runc.v2",
        "runtime.options",
        "image==img/1",
        "image~=img",
        "labels.n==2",
        "labels.none",
        "snapshotter==overlayfs",
        "snapshotkey==key",
        "spec",
        "created_at",
        "id!=x1,labels.n!=2",
      ].map((filter) => call(Containers, "list", { filters: [filter] })),
    ],
  },
]);
