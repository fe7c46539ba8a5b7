import type { Manifest } from "../config/manifest.ts";
import { missingPrivileges, type Privileges } from "../process/privileges.ts";
import type { Instance } from "./instance.ts";

const unadoptable = "cannot be adopted by a later control: its record could not be written";

/** What a person should know of a package beside its state: oddities of its manifest, and what it does not get here. */
export function packageNotes(manifest: Manifest, privileges: Privileges, instance: Instance | undefined): string[] {
  const missing = missingPrivileges(manifest, privileges);
  return [...manifest.warnings, ...missing, ...(instance?.adoptable === false ? [unadoptable] : [])];
}
