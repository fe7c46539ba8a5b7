import { Containers } from "#proto/gen/containerd/services/containers/v1/containers_pb.ts";
import { Content } from "#proto/gen/containerd/services/content/v1/content_pb.ts";
import { type MadeEntry, tarOf } from "../plugins/differ/tar-builder.ts";
import { compareCases, type Case } from "./compare.ts";
import { archiveIn, writeOciArchive } from "./image-archives.ts";
import { printed } from "./observe.ts";
import { countedIds } from "./snapshot-ids.ts";
import { call, run, type Step } from "./steps.ts";
import { collect, onDisk } from "./unpacked.ts";

const image = "example.com/box:1";

const bottom: readonly MadeEntry[] = [
  { name: "etc/", type: "5", mode: 0o755 },
  { name: "etc/passwd", data: "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/tool\n" },
  { name: "etc/group", data: "root:x:0:\nuser:x:1000:\nmore:x:7:root,user\n" },
];
const top: readonly MadeEntry[] = [{ name: "bin/tool", data: "#!/bin/sh\n", mode: 0o755 }];

const prepare = (folder: string) =>
  writeOciArchive(archiveIn(folder), image, [
    {
      family: "oci",
      layers: [
        { tar: tarOf(bottom), packing: "gzip" },
        { tar: tarOf(top), packing: "plain" },
      ],
    },
  ]);

/** The container commands of the stock client over an image, on one snapshotter. */
function casesOf(snapshotter: string): readonly Case[] {
  const on = ["--snapshotter", snapshotter];
  const imported = run(["image", "import", ...on, "{files}/image.tar"]);
  const create = (...args: readonly string[]): Step => run(["containers", "create", ...on, ...args]);
  const containers = (...args: readonly string[]): Step => run(["containers", ...args]);
  const snapshots: readonly Step[] = [run(["snapshots", ...on, "ls"]), run(["snapshots", ...on, "tree"])];
  return [
    {
      title: `containers are made from an image, shown, labelled and removed on ${snapshotter}`,
      prepare,
      steps: [
        imported,
        create(image, "one"),
        create(
          "--label",
          "a=b",
          "--env",
          "X=Y",
          "--cwd",
          "/etc",
          "--read-only",
          "--net-host",
          image,
          "two",
          "/bin/x",
          "y",
        ),
        create(image, "one"),
        create("example.com/absent:1", "three"),
        create("--runtime", "io.containerd.runtime.v1.linux", image, "old"),
        create("--runtime", "nonsense", image, "odd"),
        containers("ls"),
        containers("ls", "-q"),
        containers("ls", `image==${image}`, "runtime.name==none"),
        containers("ls", "runtime.name==io.containerd.runtime.v1.linux"),
        containers("info", "one"),
        containers("info", "--spec", "two"),
        call(Containers, "list", {}),
        call(Containers, "listStream", { filters: ["labels.a"] }),
        ...snapshots,
        run(["leases", "ls"]),
        containers("label", "one", "k=v", "z=1"),
        containers("label", "one", "k="),
        containers("ls", "labels.z"),
        containers("info", "one"),
        containers("rm", "one", "absent", "two"),
        ...snapshots,
        containers("rm", "--keep-snapshot", "old"),
        containers("ls", "-q"),
        ...collect,
        containers("rm", "odd"),
        ...snapshots,
      ],
    },
    {
      title: `a container keeps its snapshot and no image on ${snapshotter}`,
      prepare,
      steps: [
        imported,
        create(image, "one"),
        create(image, "two"),
        run(["image", "rm", "--sync", image]),
        ...collect,
        ...snapshots,
        call(Content, "list", {}),
        run(["snapshots", ...on, "mounts", "{files}/target", "one"]),
        containers("rm", "one"),
        ...collect,
        ...snapshots,
        // Without its container a snapshot is garbage.
        containers("rm", "--keep-snapshot", "two"),
        ...collect,
        ...snapshots,
        onDisk,
      ],
    },
    {
      title: `events tell of an image's containers on ${snapshotter}`,
      prepare,
      steps: [
        imported,
        // As printed: in an event itself, stock writes labels in the order of a Go map.
        printed(
          ["namespace=={ns},topic~=^/containers/", "namespace=={ns},topic~=^/snapshot/"],
          [
            create("--label", "a=b", image, "one"),
            containers("label", "one", "c=d"),
            containers("label", "one", "a="),
            containers("rm", "one"),
            containers("rm", "one"),
          ],
        ),
      ],
    },
    {
      title: `a namespace's labels choose the snapshotter, here ${snapshotter}, and the runtime`,
      prepare,
      steps: [
        run(["namespaces", "create", "{ns}"]),
        run(["namespaces", "label", "{ns}", `containerd.io/defaults/snapshotter=${snapshotter}`]),
        run(["namespaces", "label", "{ns}", "containerd.io/defaults/runtime=io.containerd.runc.v1"]),
        run(["image", "import", "{files}/image.tar"]),
        run(["containers", "create", image, "one"]),
        containers("info", "one"),
        ...snapshots,
        containers("rm", "one"),
        ...snapshots,
      ],
    },
  ];
}

const counted = (item: Case): Case => ({ ...item, steps: item.steps.map((step: Step) => countedIds(step)) });

compareCases("image-containers", ["overlayfs", "native"].flatMap(casesOf).map(counted));
