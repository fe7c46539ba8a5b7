import { Namespaces } from "#proto/gen/containerd/services/namespaces/v1/namespaces_pb.ts";
import { badNames } from "./bad-input.ts";
import { compareCases } from "./compare.ts";
import { call, onlyLines, run } from "./steps.ts";

const header = { namespace: "other" };

compareCases("namespaces", [
  {
    title: "create, list, label and remove with ctr",
    steps: [
      run(["namespaces", "create", "walk", "k=v", "z=1"]),
      onlyLines(/NAME|walk/, run(["namespaces", "ls"])),
      onlyLines(/walk/, run(["namespaces", "ls", "-q"])),
      run(["namespaces", "label", "walk", "k=w", "z=", "new=x y"]),
      onlyLines(/walk/, run(["namespaces", "ls"])),
      run(["namespaces", "create", "walk"]),
      run(["namespaces", "rm", "walk", "never-was"]),
      onlyLines(/walk/, run(["namespaces", "ls"])),
    ],
  },
  {
    title: "an unknown namespace has empty labels, and reads leave it unknown",
    steps: [
      call(Namespaces, "get", { name: "unknown-one" }, { namespace: "" }),
      onlyLines(/unknown-one/, run(["namespaces", "ls", "-q"])),
      call(Namespaces, "delete", { name: "unknown-one" }),
    ],
  },
  {
    title: "create and update answer as containerd's do",
    steps: [
      call(Namespaces, "create", { namespace: { name: "raw-a", labels: { a: "1", "b.c/d": "2" } } }, header),
      call(Namespaces, "get", { name: "raw-a" }),
      call(Namespaces, "create", { namespace: { name: "raw-a" } }, header),
      call(Namespaces, "update", { namespace: { name: "raw-a", labels: { a: "", e: "3" } } }, header),
      call(Namespaces, "get", { name: "raw-a" }),
      call(
        Namespaces,
        "update",
        { namespace: { name: "raw-a", labels: { e: "4", f: "5" } }, updateMask: { paths: ["labels.f"] } },
        header,
      ),
      call(Namespaces, "get", { name: "raw-a" }),
      call(
        Namespaces,
        "update",
        { namespace: { name: "raw-a", labels: {} }, updateMask: { paths: ["labels.f"] } },
        header,
      ),
      call(Namespaces, "get", { name: "raw-a" }),
      call(Namespaces, "update", { namespace: { name: "raw-new", labels: { x: "y" } } }, header),
      call(Namespaces, "get", { name: "raw-new" }),
      call(Namespaces, "delete", { name: "raw-new" }, header),
      call(Namespaces, "delete", { name: "raw-a" }, header),
    ],
  },
  {
    title: "without a namespace header the change is stored, and the call fails",
    steps: [
      call(Namespaces, "create", { namespace: { name: "bare", labels: { a: "1" } } }, { namespace: "" }),
      call(Namespaces, "get", { name: "bare" }, { namespace: "" }),
      call(Namespaces, "update", { namespace: { name: "bare", labels: { a: "2" } } }, { namespace: "" }),
      call(Namespaces, "get", { name: "bare" }, { namespace: "" }),
      call(Namespaces, "delete", { name: "bare" }, { namespace: "" }),
      call(Namespaces, "get", { name: "bare" }, { namespace: "" }),
    ],
  },
  {
    title: "bad names are refused",
    steps: [
      ...badNames.map((name) => call(Namespaces, "create", { namespace: { name } }, header)),
      ...badNames.map((name) => call(Namespaces, "get", { name })),
      ...badNames.map((name) => call(Namespaces, "delete", { name })),
      ...badNames.map((name) => call(Namespaces, "update", { namespace: { name, labels: { a: "b" } } }, header)),
      run(["namespaces", "create", "bad/name"]),
      run(["namespaces", "rm", "bad/name"]),
      run(["namespaces", "create"]),
    ],
  },
  {
    title: "bad labels and masks are refused",
    steps: [
      call(Namespaces, "create", { namespace: { name: "m", labels: { "": "x" } } }, header),
      call(Namespaces, "create", { namespace: { name: "m", labels: { a: "x".repeat(4096) } } }, header),
      call(
        Namespaces,
        "create",
        { namespace: { name: "m2", labels: { ["k".repeat(2048)]: "x".repeat(2048) } } },
        header,
      ),
      call(Namespaces, "update", { namespace: { name: "m2", labels: { a: "x".repeat(5000) } } }, header),
      call(Namespaces, "update", { namespace: { name: "m2" }, updateMask: { paths: ["labels"] } }, header),
      call(Namespaces, "update", { namespace: { name: "m2" }, updateMask: { paths: ["name"] } }, header),
      call(Namespaces, "update", { namespace: { name: "m2" }, updateMask: { paths: [""] } }, header),
      call(Namespaces, "update", { namespace: { name: "m2" }, updateMask: { paths: ["labels.a", "nothing"] } }, header),
      call(Namespaces, "get", { name: "m2" }),
      call(Namespaces, "create", {}, header),
      call(Namespaces, "update", {}, header),
    ],
  },
]);
