import { Introspection } from "#proto/gen/containerd/services/introspection/v1/introspection_pb.ts";
import { compareCases } from "./compare.ts";
import type { Outcome } from "./outcome.ts";
import { call, run, view } from "./steps.ts";

/** What this version ships; the rest of the stock daemon's list comes with later packages. */
const shipped = [
  "io.containerd.content.v1.content",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.native",
  "io.containerd.snapshotter.v1.overlayfs",
  "io.containerd.metadata.v1.bolt",
  "io.containerd.differ.v1.walking",
  "io.containerd.event.v1.exchange",
  "io.containerd.gc.v1.scheduler",
  "io.containerd.service.v1.introspection-service",
  "io.containerd.service.v1.containers-service",
  "io.containerd.service.v1.content-service",
  "io.containerd.service.v1.diff-service",
  "io.containerd.service.v1.images-service",
  "io.containerd.service.v1.leases-service",
  "io.containerd.service.v1.namespaces-service",
  "io.containerd.service.v1.snapshots-service",
  "io.containerd.monitor.v1.cgroups",
  "io.containerd.runtime.v2.task",
  "io.containerd.service.v1.tasks-service",
  "io.containerd.grpc.v1.introspection",
  "io.containerd.internal.v1.restart",
  "io.containerd.grpc.v1.containers",
  "io.containerd.grpc.v1.content",
  "io.containerd.grpc.v1.diff",
  "io.containerd.grpc.v1.events",
  "io.containerd.grpc.v1.healthcheck",
  "io.containerd.grpc.v1.images",
  "io.containerd.grpc.v1.leases",
  "io.containerd.grpc.v1.namespaces",
  "io.containerd.internal.v1.opt",
  "io.containerd.grpc.v1.snapshots",
  "io.containerd.grpc.v1.tasks",
  "io.containerd.grpc.v1.version",
];

interface PluginAnswer {
  readonly type: string;
  readonly id: string;
}

/** Where the folder of optional programs is differs, for its default is one for the whole machine. */
const withoutOptPath = (text: string) => text.replaceAll(/[^"\s]*\/opt(\/containerd)?(?=["\s]|$)/g, "<opt>");

const onlyShipped = (outcome: Outcome): Outcome => {
  const { code, answers } = outcome as unknown as { code: number; answers: { plugins: PluginAnswer[] }[] };
  const shown = JSON.parse(withoutOptPath(JSON.stringify(answers))) as typeof answers;
  const plugins = shown.flatMap((answer) => answer.plugins);
  return [code, plugins.filter(({ type, id }) => shipped.includes(`${type}.${id}`)) as unknown as Outcome];
};

const tableOfShipped = (outcome: Outcome): Outcome => {
  const { code, stdout } = outcome as { code: number; stdout: string };
  const rows = stdout.split("\n").map((line) => line.trim().split(/\s+/));
  return [code, rows.filter(([type, id]) => type === "TYPE" || shipped.includes(`${type}.${id}`))];
};

/** `-d` prints a block a plugin, its exports in the order of a Go map. */
const blocksOfShipped = (outcome: Outcome): Outcome => {
  const { code, stdout } = outcome as { code: number; stdout: string };
  const blocks = withoutOptPath(stdout)
    .split(/^(?=Type:)/m)
    .map((block) => block.split("\n").map((line) => line.trim()));
  const valueOf = (line = "") => line.replace(/^\w+:\s*/, "");
  const ours = blocks.filter(([type, id]) => shipped.includes(`${valueOf(type)}.${valueOf(id)}`));
  return [code, ours.map(([type = "", id = "", ...rest]) => [type, id, ...rest.toSorted()])];
};

compareCases("plugins", [
  {
    title: "the shipped plugins come in containerd's order with its requires, platforms, exports and states",
    steps: [view(call(Introspection, "plugins", { filters: [] }, { namespace: "" }), onlyShipped)],
  },
  { title: "ctr lists them", steps: [view(run(["plugins", "ls"]), tableOfShipped)] },
  {
    title: "ctr lists them in detail",
    steps: [
      view(run(["plugins", "ls", "-d"]), blocksOfShipped),
      view(run(["plugins", "ls", "-d", "type==io.containerd.grpc.v1"]), blocksOfShipped),
      run(["plugins", "ls", "-d", "id==="]),
    ],
  },
  {
    title: "filters select by type and id",
    steps: [
      view(call(Introspection, "plugins", { filters: ["id==content"] }), onlyShipped),
      view(
        call(Introspection, "plugins", { filters: ["type==io.containerd.grpc.v1,id~=^(images|leases)$"] }),
        onlyShipped,
      ),
      view(call(Introspection, "plugins", { filters: ["id==version", "id==events"] }), onlyShipped),
      view(call(Introspection, "plugins", { filters: [""] }), onlyShipped),
      view(call(Introspection, "plugins", { filters: ["unknown==x"] }), onlyShipped),
      view(call(Introspection, "plugins", { filters: ["id"] }), onlyShipped),
      view(call(Introspection, "plugins", { filters: ["id!=content"] }), onlyShipped),
      view(run(["plugins", "ls", "id==content"]), tableOfShipped),
      run(["plugins", "ls", "id==nothing"]),
    ],
  },
  {
    title: "broken filters are refused with containerd's text",
    steps: [
      call(Introspection, "plugins", { filters: ["id=="] }),
      call(Introspection, "plugins", { filters: ["id==x,"] }),
      call(Introspection, "plugins", { filters: ["==x"] }),
      call(Introspection, "plugins", { filters: ["id===x"] }),
      call(Introspection, "plugins", { filters: ['id=="x'] }),
      call(Introspection, "plugins", { filters: ["id==x "] }),
      call(Introspection, "plugins", { filters: ["id==.x"] }),
      view(call(Introspection, "plugins", { filters: ["id~=("] }), onlyShipped),
      run(["plugins", "ls", "id=="]),
    ],
  },
]);
