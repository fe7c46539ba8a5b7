import type { Fields } from "./fields.ts";

/** The package that starts containers. */
export const tasksPackage = "tasks";

/**
 * What a package is bound by, its children inherit: shims and containers must not, so nothing of the kind may be said
 * of tasks (design: their own specs and cgroups bound them).
 */
export function refuseForTasks(fields: Fields, name: string): void {
  if (name !== tasksPackage) return;
  for (const key of ["limits", "user", "groups", "noNewPrivileges"]) {
    if (!fields.has(key) || (key === "noNewPrivileges" && fields.raw(key) === false)) continue;
    fields.error(
      key,
      `${key} cannot be set for the package tasks: containers and their shims would inherit it`,
      "leave it out; what bounds a container stands in its own spec",
    );
  }
}
