import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { nearestMount, type MountEntry } from "#linux";

/** Where the groups of this machine are (containerd/cgroups: utils.go, Mode; v1.go). */
export type Hierarchies =
  | { readonly version: 2; readonly root: string }
  /** `folders` by controller; beside v1 hierarchies a v2 one without controllers does not count. */
  | { readonly version: 1; readonly folders: ReadonlyMap<string, string> };

/** Controllers whose files are read. */
const controllers = ["cpu", "cpuacct", "memory", "pids", "blkio", "hugetlb"];
const usualRoot = "/sys/fs/cgroup";

/** What is mounted: v2 when the usual place is one, else v1 hierarchies, which may be none. */
export function findHierarchies(
  mounts: readonly MountEntry[],
  exists: (path: string) => boolean = existsSync,
): Hierarchies {
  if (nearestMount(mounts, usualRoot)?.type === "cgroup2") return { version: 2, root: usualRoot };
  const first = mounts.find(({ type }) => type === "cgroup");
  const root = first === undefined ? usualRoot : dirname(first.mountPoint);
  const found = controllers.map((name) => [name, join(root, name)] as const).filter(([, folder]) => exists(folder));
  return { version: 1, folders: new Map(found) };
}
