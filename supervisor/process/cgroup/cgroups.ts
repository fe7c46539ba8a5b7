import { createHash } from "node:crypto";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../../config/manifest.ts";
import { isDescendant, openV1, openV2, type Place, type PlaceResult } from "./controllers.ts";
import { isLimited, limitSettings, resources, writeSettings, type Resource } from "./group-files.ts";
import { findHierarchies, type Hierarchy } from "./hierarchies.ts";
import { InstanceCgroup, removeGroup, type GroupFolder } from "./instance-cgroup.ts";
import { describeGroup, killGroups, outliving, readRoots, rootsFile } from "./left-groups.ts";

export interface CgroupsOptions {
  /** Keeps the list of places, so that a later control finds groups that were made elsewhere. */
  readonly state: string;
  /** The holder: what descends from it may be moved within its own group. */
  readonly daemonPid: number;
  readonly hierarchies?: readonly Hierarchy[];
}

type CgroupManifest = Pick<Manifest, "name" | "limits" | "stop">;

/**
 * The cgroups of all instances, one each, below a group of this daemon's in every hierarchy that is used. What is
 * mounted and writable decides what can be bounded. Owns: those groups; dispose waits for the last removals.
 */
export class Cgroups implements AsyncDisposable {
  readonly #file: string;
  readonly #places: readonly Place[];
  readonly #failures: readonly { readonly failure: string; readonly resources: readonly Resource[] }[];
  /** Folders of this daemon's, of earlier ones too. */
  readonly #roots: Set<string>;
  readonly #removals = new Set<Promise<void>>();

  private constructor(file: string, results: readonly PlaceResult[]) {
    this.#file = file;
    this.#places = results.flatMap((each) => ("folder" in each ? [each] : []));
    this.#failures = results.flatMap((each) => ("failure" in each ? [each] : []));
    this.#roots = new Set([...readRoots(file), ...this.#places.map(({ folder }) => folder)]);
    this.#save();
  }

  /** Finds out what this machine lets the daemon do. Never throws. */
  static open({ state, daemonPid, hierarchies = findHierarchies() }: CgroupsOptions): Cgroups {
    const name = `bulkhead-${createHash("sha256").update(state).digest("hex").slice(0, 12)}`;
    const v2 = hierarchies.filter(({ version }) => version === 2);
    const v1 = hierarchies.filter(({ controllers }) => resources.some((each) => controllers.includes(each)));
    return new Cgroups(rootsFile(state), [
      ...v2.map((each) => openV2(each, name, (pid) => isDescendant(pid, daemonPid))),
      ...v1.map((each) => openV1(each, name)),
    ]);
  }

  /** Why `resource` cannot be bounded here, and what would help; undefined: it can. */
  unavailable(resource: Resource): string | undefined {
    if (this.#places.some((place) => place.resources.includes(resource))) return undefined;
    const failed = this.#failures.find((each) => each.resources.includes(resource));
    return failed?.failure ?? `no cgroup hierarchy with the ${resource} controller is mounted`;
  }

  /**
   * The group of a new instance with its limits set; undefined: it needs none, or none can be made. Without limits it
   * is there only for the kill, in one hierarchy: a memory group would cost the kernel a dying group each restart.
   * Throws what the kernel says of a limit.
   */
  create(manifest: CgroupManifest, generation: number): InstanceCgroup | undefined {
    const folders = this.#foldersFor(manifest, groupName(manifest, generation));
    if (folders.length === 0) return undefined;
    const group = new InstanceCgroup(folders);
    try {
      group.make();
      for (const { version, path, resources: bounded } of folders) {
        for (const each of bounded) writeSettings(path, limitSettings(version, each, manifest.limits));
      }
    } catch (error) {
      this.release(group);
      throw error;
    }
    return group;
  }

  /** The group of an instance that an earlier control started, its limits set again; undefined: it has none. */
  find(manifest: CgroupManifest, generation: number): InstanceCgroup | undefined {
    const name = groupName(manifest, generation);
    const folders = [...this.#roots].flatMap((root): GroupFolder[] => {
      const path = join(root, name);
      return existsSync(path) ? [describeGroup(path)] : [];
    });
    for (const folder of folders) setLimitsAgain(folder, manifest);
    return folders.length === 0 ? undefined : new InstanceCgroup(folders);
  }

  /** Removes an ended instance's group in the background, as soon as it is empty. */
  release(group: InstanceCgroup): void {
    const removal = group.remove();
    this.#removals.add(removal);
    void removal.then(() => this.#removals.delete(removal)); // it never rejects
  }

  /**
   * Removes what dead generations left, and ends what still runs in it; groups named in `alive`
   * (`<package>.<generation>`) stay, and so do children that were meant to outlive their package.
   */
  sweep(alive: ReadonlySet<string>): void {
    for (const group of killGroups(this.#roots, alive)) this.release(group);
    for (const root of this.#roots) {
      if (!this.#places.some(({ folder }) => folder === root) && removeGroup(root)) this.#roots.delete(root);
    }
    this.#save();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#removals);
    const kept = [...this.#roots].filter((root) => !removeGroup(root));
    if (kept.length === 0) rmSync(this.#file, { force: true });
  }

  #foldersFor({ limits, stop }: CgroupManifest, name: string): GroupFolder[] {
    const taken = new Set<Resource>();
    const folders = this.#places.flatMap(({ version, folder, resources: offered }): GroupFolder[] => {
      const bounded = offered.filter((each) => isLimited(each, limits) && !taken.has(each));
      for (const each of bounded) taken.add(each);
      return bounded.length === 0 ? [] : [{ version, path: join(folder, name), resources: bounded }];
    });
    // The places of v2 come first: it has cgroup.kill. Of v1, pids is the cheapest to have groups in.
    const killer =
      this.#places.find(({ version }) => version === 2) ??
      this.#places.find(({ resources: offered }) => offered.includes("pids"));
    const path = killer && join(killer.folder, name);
    if (stop.kill === "process" || killer === undefined || path === undefined) return folders;
    if (folders.some((each) => each.path === path)) return folders;
    return [{ version: killer.version, path, resources: [] }, ...folders];
  }

  #save(): void {
    try {
      if (this.#roots.size > 0) writeFileSync(this.#file, JSON.stringify([...this.#roots]), { mode: 0o600 });
    } catch {
      // A full disk: groups of this daemon are then swept only by a daemon in the same place.
    }
  }
}

/** Controllers may have been handed back meanwhile, and what was set with them is then gone. */
function setLimitsAgain({ version, path, resources: bounded }: GroupFolder, { limits }: CgroupManifest): void {
  for (const each of bounded) {
    try {
      writeSettings(path, limitSettings(version, each, limits));
    } catch {
      // It uses more than that by now: what was in force stays in force.
    }
  }
}

function groupName({ name, stop }: CgroupManifest, generation: number): string {
  return `${name}.${generation}${stop.kill === "process" ? outliving : ""}`;
}
