import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HolderLog } from "./holder-log.ts";
import { describeCause, StartFailure } from "./start-failure.ts";

const cgroupMount = "/sys/fs/cgroup";
const cgroup2FileSystem = 0x63677270;

/** Sets the OOM score of the holder and of what it starts; control sets its packages' back. Failure is only logged. */
export function setOomScore(score: number, log: HolderLog): void {
  if (score === 0) return;
  try {
    writeFileSync("/proc/self/oom_score_adj", String(score));
  } catch (error) {
    log.error("cannot set the oom score", { score, error: describeCause(error) });
  }
}

/**
 * Moves this process into the configured cgroup, as containerd does: under v1 made where missing, under v2 it must
 * exist. Throws StartFailure.
 */
export function joinCgroup(path: string, mount = cgroupMount): void {
  if (path === "") return;
  try {
    for (const hierarchy of hierarchies(mount)) joinHierarchy(hierarchy, path);
  } catch (error) {
    const advice = 'see "path" of [cgroup] in the config';
    throw new StartFailure(`cannot join cgroup ${path}: ${describeCause(error)}; ${advice}`, { cause: error });
  }
}

interface Hierarchy {
  readonly root: string;
  readonly create: boolean;
}

function hierarchies(mount: string): Hierarchy[] {
  if (statfsSync(mount).type === cgroup2FileSystem) return [{ root: mount, create: false }];
  // cgroup.clone_children stands in every v1 hierarchy, and not in the v2 one that hybrid hosts mount beside them.
  const names = readdirSync(mount).filter((name) => existsSync(join(mount, name, "cgroup.clone_children")));
  if (names.length === 0) throw new Error(`no cgroups are mounted under ${mount}`);
  return names.map((name) => ({ root: join(mount, name), create: true }));
}

function joinHierarchy({ root, create }: Hierarchy, path: string): void {
  if (create) makeGroup(root, path);
  appendFileSync(join(root, path, "cgroup.procs"), String(process.pid), { flag: "r+" });
}

/** A new v1 cpuset is empty and takes nobody until it has its parent's processors and memory nodes. */
function makeGroup(root: string, path: string): void {
  let folder = root;
  for (const name of path.split("/").filter((part) => part !== "")) {
    const parent = folder;
    folder = join(folder, name);
    mkdirSync(folder, { recursive: true });
    for (const file of ["cpuset.cpus", "cpuset.mems"]) inheritIfEmpty(join(parent, file), join(folder, file));
  }
}

function inheritIfEmpty(from: string, to: string): void {
  if (existsSync(to) && readFileSync(to, "utf8").trim() === "") writeFileSync(to, readFileSync(from, "utf8"));
}
