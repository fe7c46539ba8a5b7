import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A mounted cgroup hierarchy, and this process's place in it. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** v1: what is attached to it, `name=…` included; v2: empty, its groups say what they offer. */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  /** Folder of the group that this process is in. */
  readonly ownFolder: string;
}

/**
 * What is mounted, asked of the kernel and never assumed: v1, v2, both, or nothing. A hierarchy in which this process
 * cannot be found below the mount point is left out. (proc(5): mountinfo; cgroups(7): /proc/<pid>/cgroup.)
 */
export function findHierarchies(
  mountinfo = readProc("/proc/self/mountinfo"),
  ownGroups = readProc("/proc/self/cgroup"),
): Hierarchy[] {
  const paths = ownPaths(ownGroups);
  const found: Hierarchy[] = [];
  for (const mount of cgroupMounts(mountinfo)) {
    const known =
      mount.version === 2 ? paths.find((each) => each.controllers === "") : paths.find(sameControllers(mount));
    const below = known === undefined ? undefined : pathBelow(mount.root, known.path);
    if (known === undefined || below === undefined) continue;
    if (found.some((other) => other.version === mount.version && other.controllers.join() === known.controllers))
      continue;
    const controllers = mount.version === 2 ? [] : known.controllers.split(",");
    found.push({
      version: mount.version,
      controllers,
      mountPoint: mount.mountPoint,
      ownFolder: join(mount.mountPoint, below),
    });
  }
  return found;
}

interface CgroupMount {
  readonly version: 1 | 2;
  /** Group that the mount point shows. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
}

function cgroupMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [mount = "", superblock = ""] = line.split(" - ");
    const [, , , root = "", mountPoint = ""] = mount.split(" ");
    const [type = "", , options = ""] = superblock.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") return [];
    return [
      {
        version: type === "cgroup2" ? (2 as const) : (1 as const),
        root: unescape(root),
        mountPoint: unescape(mountPoint),
        options: options.split(","),
      },
    ];
  });
}

function ownPaths(ownGroups: string): { readonly controllers: string; readonly path: string }[] {
  return ownGroups.split("\n").flatMap((line) => {
    const parts = /^\d+:([^:]*):(.*)$/.exec(line);
    return parts === null ? [] : [{ controllers: parts[1] ?? "", path: parts[2] ?? "/" }];
  });
}

function sameControllers({ options }: CgroupMount): (own: { readonly controllers: string }) => boolean {
  return ({ controllers }) => controllers !== "" && controllers.split(",").every((each) => options.includes(each));
}

/** Where `path` is below `root`; undefined: outside of what is mounted. */
function pathBelow(root: string, path: string): string | undefined {
  if (path.split("/").includes("..")) return undefined;
  if (root === "/") return path;
  if (path === root) return "/";
  return path.startsWith(`${root}/`) ? path.slice(root.length) : undefined;
}

/** Octal escapes of spaces and the like. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
