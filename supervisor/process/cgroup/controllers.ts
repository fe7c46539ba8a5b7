import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readGroupFile, readPids, resources, type Resource } from "./group-files.ts";
import type { Hierarchy } from "./hierarchies.ts";

/** The leaf that the daemon's own processes move to: v2 lets no group with processes hand on controllers. */
const daemonLeaf = "supervisor";

/** A group that instances' groups can be made in, and what can be bounded there. */
export interface Place {
  readonly version: 1 | 2;
  readonly folder: string;
  readonly resources: readonly Resource[];
}

/** A hierarchy as far as it is usable: a place, or why not. */
export type PlaceResult = Place | { readonly failure: string; readonly resources: readonly Resource[] };

/** Makes `name` where this process is in a v1 hierarchy. */
export function openV1(hierarchy: Hierarchy, name: string): PlaceResult {
  const attached = resources.filter((each) => hierarchy.controllers.includes(each));
  const folder = join(hierarchy.ownFolder, name);
  try {
    mkdirSync(folder, { recursive: true });
    return { version: 1, folder, resources: attached };
  } catch (error) {
    return { failure: notWritable(folder, error), resources: attached };
  }
}

/**
 * Makes `name` beside the daemon's own group in the v2 hierarchy and hands the controllers on. A group with processes
 * may not do that, so the daemon's own move to a leaf first, unless others are among them.
 */
export function openV2(hierarchy: Hierarchy, name: string, isOurs: (pid: number) => boolean): PlaceResult {
  const own = hierarchy.ownFolder;
  const base = basename(own) === daemonLeaf && own !== hierarchy.mountPoint ? dirname(own) : own;
  const offered = (readGroupFile(base, "cgroup.controllers") ?? "").trim().split(/\s+/);
  const wanted = resources.filter((each) => offered.includes(each));
  const folder = join(base, name);
  try {
    mkdirSync(folder, { recursive: true });
    if (wanted.length > 0 && base !== hierarchy.mountPoint && wanted.some((each) => !isEnabled(base, each))) {
      const stranger = readPids(base).find((pid) => !isOurs(pid));
      if (stranger !== undefined) return { failure: sharedText(base, stranger), resources: wanted };
      moveAll(base);
    }
    for (const each of wanted) for (const group of [base, folder]) enable(group, each);
    return { version: 2, folder, resources: wanted };
  } catch (error) {
    return { failure: notWritable(folder, error), resources: wanted };
  }
}

/** Whether `pid` is `root` or one of its descendants. */
export function isDescendant(pid: number, root: number): boolean {
  for (let at = pid, steps = 0; at > 1 && steps < 64; steps++) {
    if (at === root) return true;
    at = parentOf(at);
  }
  return false;
}

function isEnabled(group: string, controller: Resource): boolean {
  return (readGroupFile(group, "cgroup.subtree_control") ?? "").trim().split(/\s+/).includes(controller);
}

function enable(group: string, controller: Resource): void {
  if (!isEnabled(group, controller)) writeFileSync(join(group, "cgroup.subtree_control"), `+${controller}`);
}

function moveAll(base: string): void {
  const pids = readPids(base);
  if (pids.length === 0) return;
  const leaf = join(base, daemonLeaf);
  mkdirSync(leaf, { recursive: true });
  for (const pid of pids) writeFileSync(join(leaf, "cgroup.procs"), String(pid));
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}

function notWritable(folder: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return `${folder} cannot be made (${code}): run the daemon as root, or from a systemd unit with Delegate=yes`;
}

function sharedText(base: string, stranger: number): string {
  return (
    `process ${stranger}, which is not the daemon's, is in its cgroup ${base}:` +
    " run the daemon from a systemd unit with Delegate=yes, or set cgroup.path"
  );
}
