import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Hierarchies } from "./hierarchies.ts";

/** Folders of one task's groups: by controller in v1, the one under "" in v2. */
export type GroupFolders = ReadonlyMap<string, string>;

/** Folders of the groups that a process is in; undefined: it has ended, or is in none that can be told. */
export function groupFoldersOf(hierarchies: Hierarchies, pid: number): GroupFolders | undefined {
  try {
    return parseGroups(hierarchies, readFileSync(`/proc/${pid}/cgroup`, "utf8"));
  } catch {
    return undefined; // it ended
  }
}

/** The same from the text of its cgroup file (cgroups(7)). */
export function parseGroups(hierarchies: Hierarchies, text: string): GroupFolders | undefined {
  const folders = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, id, names = "", path = ""] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    // A path with `..` lies outside of what this process can see.
    if (id === undefined || path.split("/").includes("..")) continue;
    if (hierarchies.version === 2) {
      if (id === "0") folders.set("", join(hierarchies.root, path));
      continue;
    }
    for (const name of names.split(",")) {
      const root = hierarchies.folders.get(name);
      if (root !== undefined) folders.set(name, join(root, path));
    }
  }
  return folders.size === 0 ? undefined : folders;
}
