import { Leases } from "#proto/gen/containerd/services/leases/v1/leases_pb.ts";
import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { Kind, Snapshots } from "#proto/gen/containerd/services/snapshots/v1/snapshots_pb.ts";
import { badFilters } from "./bad-input.ts";
import { compareCases, type Case } from "./compare.ts";
import { observe } from "./observe.ts";
import { countedIds } from "./snapshot-ids.ts";
import { call, run, type Step } from "./steps.ts";

const refLabel = "containerd.io/snapshot.ref";
const inherited = "containerd.io/snapshot/x";

/** The cases of one snapshotter. */
function casesOf(snapshotter: string): readonly Case[] {
  const ctr = (...args: readonly string[]): Step => run(["snapshots", "--snapshotter", snapshotter, ...args]);
  const info = (key: string): Step => call(Snapshots, "stat", { snapshotter, key });
  const list = (...filters: string[]): Step => call(Snapshots, "list", { snapshotter, filters });
  const prepare = (key: string, parent = "", labels: Record<string, string> = {}): Step =>
    call(Snapshots, "prepare", { snapshotter, key, parent, labels });
  const view = (key: string, parent = ""): Step => call(Snapshots, "view", { snapshotter, key, parent });
  const commit = (name: string, key: string, labels: Record<string, string> = {}): Step =>
    call(Snapshots, "commit", { snapshotter, name, key, labels });
  const remove = (key: string): Step => call(Snapshots, "remove", { snapshotter, key });
  const update = (name: string, labels: Record<string, string>, paths?: string[]): Step =>
    call(Snapshots, "update", { snapshotter, info: { name, labels }, ...(paths && { updateMask: { paths } }) });
  return [
    {
      title: `ctr prepares, commits, views, lists and removes on ${snapshotter}`,
      steps: [
        ctr("ls"),
        ctr("prepare", "a"),
        ctr("prepare", "a"),
        ctr("mounts", "{files}/target", "a"),
        ctr("usage", "a"),
        ctr("info", "a"),
        ctr("commit", "layer one", "a"),
        ctr("commit", "layer one", "a"),
        ctr("prepare", "--target", "{files}/target", "b", "layer one"),
        ctr("view", "--target", "{files}/target", "v", "layer one"),
        ctr("commit", "layer/two", "b"),
        ctr("prepare", "c", "layer/two"),
        ctr("ls"),
        ctr("tree"),
        ctr("label", "v", "q=1"),
        ctr("label", "v", "q="),
        ctr("info", "v"),
        ctr("usage"),
        ctr("rm", "layer one"),
        ctr("rm", "v", "c", "layer/two", "layer one"),
        ctr("ls"),
      ],
    },
    {
      title: `ctr names what it misses on ${snapshotter}`,
      steps: [
        ctr("prepare"),
        ctr("prepare", "a", "absent"),
        ctr("view", "a", "absent"),
        ctr("commit", "n", "absent"),
        ctr("mounts", "{files}/target", "absent"),
        ctr("mounts", "{files}/target"),
        ctr("usage", "absent"),
        ctr("info", "absent"),
        ctr("info"),
        ctr("label", "absent", "a=b"),
        ctr("label"),
        ctr("rm", "absent"),
        ctr("rm", "absent", "gone"),
        ctr("rm"),
        ctr("prepare", "first"),
        ctr("commit", "n", "absent"),
        ctr("prepare", "child", "first"),
        ctr("rm", "first"),
      ],
    },
    {
      title: `the kinds of snapshots keep to their rules on ${snapshotter}`,
      steps: [
        prepare("a"),
        view("v0"),
        commit("l", "a", { kept: "1" }),
        info("l"),
        info("a"),
        view("v", "l"),
        prepare("b", "l"),
        prepare("x", "b"),
        prepare("x", "v"),
        commit("n", "v"),
        commit("n", "l"),
        commit("l", "b"),
        commit("b", "b"),
        call(Snapshots, "mounts", { snapshotter, key: "l" }),
        call(Snapshots, "mounts", { snapshotter, key: "b" }),
        call(Snapshots, "mounts", { snapshotter, key: "v" }),
        call(Snapshots, "usage", { snapshotter, key: "v" }),
        call(Snapshots, "usage", { snapshotter, key: "b" }),
        remove("l"),
        list(),
        remove("b"),
        remove("v"),
        remove("l"),
        remove("l"),
        list(),
      ],
    },
    {
      title: `a parent that is no layer any more is no parent on ${snapshotter}`,
      steps: [prepare("a"), commit("l", "a"), remove("l"), prepare("b", "l"), commit("n", "b"), list()],
    },
    {
      title: `names are free, and not empty, on ${snapshotter}`,
      steps: [
        prepare(""),
        view(""),
        prepare("ok"),
        commit("", "ok"),
        commit("n", ""),
        info(""),
        remove(""),
        call(Snapshots, "mounts", { snapshotter, key: "" }),
        call(Snapshots, "usage", { snapshotter, key: "" }),
        update("", { a: "1" }),
        call(Snapshots, "update", { snapshotter }),
        prepare("/a b:c/ü"),
        prepare("../up"),
        prepare("k".repeat(400)),
        list(),
      ],
    },
    {
      title: `labels are stored, masked and filtered on ${snapshotter}`,
      steps: [
        prepare("a", "", { plain: "1", [inherited]: "2", empty: "", "containerd.io/other": "3" }),
        info("a"),
        update("a", { plain: "9", more: "4" }, ["labels.more"]),
        update("a", {}, ["labels.plain"]),
        update("a", { [inherited]: "5" }, [`labels.${inherited}`]),
        info("a"),
        update("a", { all: "1" }, ["labels"]),
        update("a", { whole: "1", [inherited]: "6" }),
        update("a", { a: "1" }, ["parent"]),
        update("a", { a: "1" }, ["labels.a", "kind"]),
        update("a", { a: "1" }, ["name"]),
        update("a", { a: "1" }, [""]),
        update("absent", { a: "1" }),
        update("a", { k: "x".repeat(4096) }),
        info("a"),
        prepare("long", "", { k: "x".repeat(4096) }),
        commit("n", "a", { k: "x".repeat(4096) }),
        commit("n", "a", { [inherited]: "7", plain: "8" }),
        info("n"),
        prepare("b", "n"),
        info("b"),
        ...[
          "kind==active",
          "kind==committed",
          "kind==Committed",
          "kind!=active",
          "name==n",
          "name~=^n",
          "parent==n",
          'parent==""',
          "parent",
          "labels.plain==8",
          `labels."${inherited}"==7`,
          "labels.none",
          "unknown==1",
          "name==n,kind==active",
          "",
        ].map((filter) => list(filter)),
        list("name==n", "name==b"),
        ...badFilters.map((filter) => list(filter)),
      ],
    },
    {
      title: `each namespace has its own snapshots on ${snapshotter}`,
      steps: [
        prepare("a"),
        call(Snapshots, "stat", { snapshotter, key: "a" }, { namespace: "{ns}-other" }),
        call(Snapshots, "prepare", { snapshotter, key: "a" }, { namespace: "{ns}-other" }),
        call(Snapshots, "prepare", { snapshotter, key: "a" }, { namespace: "" }),
        call(Snapshots, "prepare", { snapshotter, key: "a" }, { namespace: "bad ns" }),
        call(Snapshots, "list", { snapshotter }, { namespace: "" }),
        call(Snapshots, "list", { snapshotter, filters: ["name=="] }, { namespace: "" }),
        call(Snapshots, "list", { snapshotter }, { namespace: "never-was" }),
        call(Snapshots, "remove", { snapshotter, key: "a" }, { namespace: "never-was" }),
        call(Snapshots, "commit", { snapshotter, name: "n", key: "a" }, { namespace: "never-was" }),
        call(Snapshots, "mounts", { snapshotter, key: "a" }, { namespace: "never-was" }),
        call(Snapshots, "update", { snapshotter, info: { name: "a" } }, { namespace: "never-was" }),
        call(Namespaces, "delete", { name: "{ns}-other" }),
        run(["namespaces", "rm", "{ns}-other"]),
        run(["namespaces", "rm", "{ns}"]),
        call(Snapshots, "remove", { snapshotter, key: "a" }, { namespace: "{ns}-other" }),
        run(["namespaces", "rm", "{ns}-other"]),
      ],
    },
    {
      title: `leases list what is made under them on ${snapshotter}`,
      steps: [
        call(Leases, "create", { id: "l" }),
        call(Snapshots, "prepare", { snapshotter, key: "a" }, { lease: "l" }),
        call(Leases, "listResources", { id: "l" }),
        call(Snapshots, "commit", { snapshotter, name: "n", key: "a" }, { lease: "l" }),
        call(Snapshots, "view", { snapshotter, key: "v", parent: "n" }, { lease: "l" }),
        call(Leases, "listResources", { id: "l" }),
        call(Snapshots, "remove", { snapshotter, key: "v" }),
        call(Leases, "listResources", { id: "l" }),
        call(Snapshots, "remove", { snapshotter, key: "n" }, { lease: "l" }),
        call(Leases, "listResources", { id: "l" }),
        call(Snapshots, "prepare", { snapshotter, key: "b" }, { lease: "absent" }),
        call(Snapshots, "view", { snapshotter, key: "b" }, { lease: "absent" }),
        prepare("c"),
        call(Snapshots, "commit", { snapshotter, name: "m", key: "c" }, { lease: "absent" }),
        call(Snapshots, "commit", { snapshotter, name: "m", key: "absent" }, { lease: "absent" }),
        call(Snapshots, "stat", { snapshotter, key: "c" }, { lease: "absent" }),
        call(Snapshots, "remove", { snapshotter, key: "c" }, { lease: "absent" }),
        list(),
      ],
    },
    {
      title: `a target that the namespace has already exists on ${snapshotter}`,
      steps: [
        prepare("a"),
        commit("chain", "a", { [refLabel]: "chain" }),
        prepare("extract", "", { [refLabel]: "chain" }),
        prepare("extract", "", { [refLabel]: "elsewhere" }),
        commit("elsewhere", "extract", { [refLabel]: "elsewhere" }),
        view("extract", "elsewhere"),
        list(),
      ],
    },
    {
      title: `events tell of Prepare, Commit and Remove on ${snapshotter}`,
      steps: [
        observe(
          ["namespace=={ns}"],
          [
            prepare("a"),
            commit("l", "a"),
            view("v", "l"),
            update("l", { a: "1" }),
            prepare("a", "absent"),
            remove("v"),
            remove("v"),
            remove("l"),
          ],
        ),
      ],
    },
  ];
}

const counted = (item: Case): Case => ({ ...item, steps: item.steps.map(countedIds) });

compareCases("snapshots", [
  ...casesOf("native").map(counted),
  ...casesOf("overlayfs").map(counted),
  {
    title: "a snapshotter is named, and is loaded",
    steps: ["", "absent", "../native"].flatMap((snapshotter) => [
      call(Snapshots, "prepare", { snapshotter, key: "a" }),
      call(Snapshots, "view", { snapshotter, key: "a" }),
      call(Snapshots, "mounts", { snapshotter, key: "a" }),
      call(Snapshots, "commit", { snapshotter, name: "n", key: "a" }),
      call(Snapshots, "remove", { snapshotter, key: "a" }),
      call(Snapshots, "stat", { snapshotter, key: "a" }),
      call(Snapshots, "update", { snapshotter, info: { name: "a", kind: Kind.ACTIVE } }),
      call(Snapshots, "list", { snapshotter }),
      call(Snapshots, "usage", { snapshotter, key: "a" }),
      call(Snapshots, "cleanup", { snapshotter }),
    ]),
  },
  {
    title: "a clean-up is not for clients",
    steps: [
      call(Snapshots, "cleanup", { snapshotter: "native" }),
      call(Snapshots, "cleanup", { snapshotter: "native" }, { namespace: "" }),
      call(Snapshots, "cleanup", { snapshotter: "overlayfs" }),
    ],
  },
]);
