import { getResourceLimit } from "#linux";
import { HostError } from "#proto/wire/errors.ts";
import { formatSize } from "../config/size.ts";
import type { Manifest } from "../config/manifest.ts";
import { isLimited, resources } from "./cgroup/group-files.ts";
import type { Cgroups } from "./cgroup/cgroups.ts";

/** What this daemon may do to the processes it starts. */
export interface Privileges {
  readonly cgroups: Cgroups;
  readonly setpriv: string | undefined;
  /** Runs as root, and may thus start processes as others. */
  readonly isRoot: boolean;
  /** Open files that a process of this daemon may have at most; undefined: as many as root may have. */
  readonly nofileLimit: number | undefined;
}

/** Asks the kernel once. */
export function ownPrivileges(cgroups: Cgroups, setpriv: string | undefined): Privileges {
  const isRoot = process.getuid?.() === 0;
  return { cgroups, setpriv, isRoot, nofileLimit: isRoot ? undefined : getResourceLimit("nofile").hard };
}

type Limited = Pick<Manifest, "name" | "limits" | "user" | "groups" | "noNewPrivileges" | "tier">;

/** What a package asks for and cannot have here: what, why, and what to do. Shown with the package. */
export function missingPrivileges(manifest: Limited, privileges: Privileges): string[] {
  if (manifest.tier === "external") return [];
  const { limits, user, groups, noNewPrivileges } = manifest;
  const { cgroups, setpriv, isRoot, nofileLimit } = privileges;
  const notes = resources.flatMap((each) => {
    const reason = isLimited(each, limits) ? cgroups.unavailable(each) : undefined;
    return reason === undefined ? [] : [`limits.${each} (${limitText(each, limits)}) is not enforced: ${reason}`];
  });
  if (!isRoot && (user !== undefined || groups.length > 0)) {
    notes.push("user and groups are not applied: only root may start processes as others; run the daemon as root");
  }
  if (noNewPrivileges && setpriv === undefined) {
    notes.push("noNewPrivileges is not applied: this machine has no setpriv; install util-linux");
  }
  if (limits.nofile !== undefined && nofileLimit !== undefined && limits.nofile > nofileLimit) {
    notes.push(
      `limits.nofile (${limits.nofile}) is not applied: the daemon's own limit is ${nofileLimit}; raise it (ulimit -Hn, LimitNOFILE)`,
    );
  }
  return notes;
}

/** The same for the log, once a daemon: what no package can have here. */
export function missingOnMachine(manifests: readonly Limited[], privileges: Privileges): string[] {
  const texts = manifests.flatMap((manifest) =>
    missingPrivileges(manifest, privileges).map((text) => ({
      text: text.replace(/ \([^)]*\)/, ""),
      of: manifest.name,
    })),
  );
  const byText = Map.groupBy(texts, ({ text }) => text);
  return [...byText].map(([text, each]) => `${text} (${each.map(({ of }) => of).join(", ")})`);
}

/** Throws failed-precondition when a package would run as root though it asks for another user. */
export function checkIdentity({ name, user, groups }: Limited, { setpriv, isRoot }: Privileges): void {
  if (!isRoot || setpriv !== undefined || (user === undefined && groups.length === 0)) return;
  throw new HostError(
    "failed-precondition",
    `package ${name} asks for a user or groups of its own, which takes setpriv: install util-linux`,
  );
}

function limitText(resource: "memory" | "cpu" | "pids", { memoryBytes, cpu, pids }: Manifest["limits"]): string {
  if (resource === "memory") return formatSize(memoryBytes ?? 0);
  return String(resource === "cpu" ? cpu : pids);
}
