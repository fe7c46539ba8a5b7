import type { Json, PackageOverride } from "./config.ts";
import { Fields } from "./fields.ts";
import { expectations, patterns } from "./manifest-patterns.ts";
import {
  readEnvironment,
  readGroups,
  readLimits,
  readParking,
  readReadiness,
  readRestart,
  readStop,
  readUser,
  readWatchdog,
} from "./manifest-sections.ts";
import type { KeyPath } from "./source.ts";
import { refuseForTasks } from "./tasks-rule.ts";

/** `packages`: what the host overrides of each package's manifest. A wrong one fails its package alone. */
export function readPackages(fields: Fields): ReadonlyMap<string, PackageOverride> {
  return (
    fields.map("packages", (value, path, name) => readOverride(fields, value, path, name)) ??
    new Map<string, PackageOverride>()
  );
}

function readOverride(fields: Fields, value: Json, path: KeyPath, name: string): PackageOverride | undefined {
  const problems = fields.problems.forEntry(`packages.${name}`);
  if (!patterns.packageName.test(name))
    problems.error(path, `expected ${expectations.packageName} as the package's name`);
  const entry = Fields.of(value, path, problems);
  const override: PackageOverride = {
    limits: readLimits(entry),
    restart: readRestart(entry),
    parking: readParking(entry),
    watchdog: readWatchdog(entry),
    stop: readStop(entry),
    readiness: readReadiness(entry),
    user: readUser(entry),
    groups: readGroups(entry),
    env: readEnvironment(entry),
  };
  refuseForTasks(entry, name);
  entry.finish(/^x-/);
  return problems.entryHasErrors ? undefined : override;
}
