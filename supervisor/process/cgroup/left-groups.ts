import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readGroupFile, resources, type Resource } from "./group-files.ts";
import { InstanceCgroup, removeGroup, type GroupFolder } from "./instance-cgroup.ts";

/** Marks groups whose processes may outlive their package. */
export const outliving = ".outliving";

/** Lists the folders that hold this daemon's groups, wherever an earlier control made them. */
export function rootsFile(state: string): string {
  return join(state, "cgroups.json");
}

/** Those folders; a broken file must not lead to foreign groups. */
export function readRoots(file: string): string[] {
  try {
    const roots: unknown = JSON.parse(readFileSync(file, "utf8"));
    const listed: readonly unknown[] = Array.isArray(roots) ? roots : [];
    return listed.filter((each): each is string => typeof each === "string" && ours.test(each));
  } catch {
    return [];
  }
}

const ours = /\/bulkhead-[0-9a-f]{12}$/;

/** An existing group: which hierarchy it is in, and what it bounds, by the files it has. */
export function describeGroup(path: string): GroupFolder {
  const has = (file: string): boolean => existsSync(join(path, file));
  const version = has("cgroup.controllers") ? 2 : 1;
  const files: Record<Resource, string> =
    version === 2
      ? { memory: "memory.max", cpu: "cpu.max", pids: "pids.max" }
      : { memory: "memory.limit_in_bytes", cpu: "cpu.cfs_quota_us", pids: "pids.max" };
  return { version, path, resources: resources.filter((each) => has(files[each])) };
}

/**
 * Ends what runs in groups below `roots`, and gives those to remove; groups of `alive` instances
 * (`<package>.<generation>`) stay, and so do children that were meant to outlive their package.
 */
export function killGroups(roots: Iterable<string>, alive: ReadonlySet<string>): InstanceCgroup[] {
  const ended: InstanceCgroup[] = [];
  for (const root of roots) {
    for (const name of groupsIn(root)) {
      const [instance = name] = /^[^.]+\.\d+/.exec(name) ?? [];
      if (alive.has(instance)) continue;
      const group = new InstanceCgroup([describeGroup(join(root, name))]);
      if (!name.endsWith(outliving)) group.kill();
      if (!name.endsWith(outliving) || group.pids().length === 0) ended.push(group);
    }
  }
  return ended;
}

/** Ends and removes every group of a daemon that is gone. Never rejects. */
export async function endGroups(state: string): Promise<void> {
  const file = rootsFile(state);
  const roots = readRoots(file);
  await Promise.all(killGroups(roots, new Set()).map((group) => group.remove()));
  const kept = roots.filter((root) => !removeGroup(root));
  if (kept.length === 0) rmSync(file, { force: true });
}

/**
 * Takes back from v2 groups of ours what lets them bound their children: with it systemd could not start the next
 * daemon in the unit's own group, which may have processes or bounded children, never both. Limits are not in force
 * until the next control sets them again. Never throws.
 */
export function handBackControllers(state: string): void {
  for (const root of readRoots(rootsFile(state))) {
    for (const group of [root, dirname(root)]) {
      const enabled = (readGroupFile(group, "cgroup.subtree_control") ?? "").trim().split(/\s+/);
      for (const each of enabled.filter((name) => (resources as readonly string[]).includes(name)))
        disable(group, each);
    }
  }
}

function disable(group: string, controller: string): void {
  try {
    writeFileSync(join(group, "cgroup.subtree_control"), `-${controller}`);
  } catch {
    // Others use it there; then it is not ours to take back.
  }
}

function groupsIn(root: string): string[] {
  try {
    const entries = readdirSync(root, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && /^[^.]+\.\d+/.test(entry.name)).map(({ name }) => name);
  } catch {
    return [];
  }
}
