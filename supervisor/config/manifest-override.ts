import type { PackageOverride } from "./config.ts";
import { overlay } from "./manifest-sections.ts";
import type { Manifest } from "./manifest.ts";

/** The manifest with what the host's config says of its package: sections and `env` merge by key, lists replace. */
export function applyOverride(manifest: Manifest, override: PackageOverride | undefined): Manifest {
  if (override === undefined) return manifest;
  return {
    ...manifest,
    restart: overlay(manifest.restart, override.restart),
    readiness: overlay(manifest.readiness, override.readiness),
    watchdog: overlay(manifest.watchdog, override.watchdog),
    parking: overlay(manifest.parking, override.parking),
    stop: overlay(manifest.stop, override.stop),
    limits: overlay(manifest.limits, override.limits),
    env: { ...manifest.env, ...override.env },
    user: override.user ?? manifest.user,
    groups: override.groups ?? manifest.groups,
  };
}
