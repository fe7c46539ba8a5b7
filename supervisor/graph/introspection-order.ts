import type { Member } from "./registry.ts";
import { Registry } from "./registry.ts";

/**
 * containerd 1.6's own plugins in the order it registers them (boot.md, section 4, as run). Ours are walked in this
 * order, then the others in theirs, so that a listing reads as the stock daemon's.
 */
const stockOrder = [
  "content.v1.content",
  ...["aufs", "btrfs", "devmapper", "native", "overlayfs", "zfs"].map((id) => `snapshotter.v1.${id}`),
  "metadata.v1.bolt",
  "differ.v1.walking",
  "event.v1.exchange",
  "gc.v1.scheduler",
  ...["introspection", "containers", "content", "diff", "images", "leases", "namespaces", "snapshots"].map(
    (id) => `service.v1.${id}-service`,
  ),
  "runtime.v1.linux",
  "runtime.v2.task",
  "monitor.v1.cgroups",
  "service.v1.tasks-service",
  "grpc.v1.introspection",
  "internal.v1.restart",
  ...["containers", "content", "diff", "events", "healthcheck", "images", "leases", "namespaces"].map(
    (id) => `grpc.v1.${id}`,
  ),
  "internal.v1.opt",
  ...["snapshots", "tasks", "version"].map((id) => `grpc.v1.${id}`),
];

const rank: ReadonlyMap<string, number> = new Map(stockOrder.map((name, index) => [`io.containerd.${name}`, index]));

/**
 * Members in containerd's order: a depth-first walk over registrations, each after what it prints as requires
 * (`shows`, else `requires` and `wants`). Mirrors containerd 1.6 plugin/plugin.go, Graph.
 */
export function introspectionOrder(members: readonly Member[]): readonly Member[] {
  const place = (member: Member): number => rank.get(member.uri) ?? stockOrder.length;
  const registered = members.toSorted((a, b) => place(a) - place(b));
  const registry = new Registry(registered.map((member) => ({ name: member.package, plugins: [member.plugin] })));
  const known = new Map(registered.map((member) => [member.uri, member]));
  const ordered = new Set<Member>();
  const visiting = new Set<Member>();
  const visit = (member: Member): void => {
    if (visiting.has(member)) return;
    visiting.add(member);
    for (const needed of printedRequires(member).flatMap((item) => registry.find(item))) {
      const found = known.get(needed.uri);
      if (found !== undefined) visit(found);
    }
    ordered.add(member);
  };
  for (const member of registered) visit(member);
  return [...ordered];
}

/** What introspection prints as a plugin's requires. */
export function printedRequires({ plugin }: Pick<Member, "plugin">): readonly string[] {
  return plugin.shows ?? [...plugin.requires, ...plugin.wants];
}
