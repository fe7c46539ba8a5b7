import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import type { Manifest } from "../config/manifest.ts";
import { hostVersion } from "../version.ts";

/** Files of a package folder that are looked at, and how deep. */
const filesLimit = 500;
const depthLimit = 3;
/** Changes that are told by name. */
const changesLimit = 10;

/** What an instance is made of. */
export interface PackageStamp {
  readonly generation: number;
  readonly hostVersion: string;
  readonly version: string;
  /** SHA-256, hex. */
  readonly manifestHash: string;
  readonly configHash: string;
  /** Size and time of each file of the package's folder, by path. */
  readonly files: Readonly<Record<string, string>>;
}

/** How it is now; `configJson` is what the package is configured with. */
export function stampPackage(manifest: Manifest, generation: number, configJson: string): PackageStamp {
  return {
    generation,
    hostVersion,
    version: manifest.version,
    manifestHash: manifestHash(manifest),
    configHash: createHash("sha256").update(configJson).digest("hex"),
    files: stampFiles(manifest.folder),
  };
}

/** What differs between two, in words; empty: nothing. */
export function describeChanges(good: PackageStamp, now: PackageStamp): string[] {
  const changes: string[] = [];
  if (good.hostVersion !== now.hostVersion) changes.push(`bulkhead: ${good.hostVersion} then, ${now.hostVersion} now`);
  if (good.version !== now.version) changes.push(`version: ${good.version} then, ${now.version} now`);
  if (good.manifestHash !== now.manifestHash) changes.push("the manifest, or what the config overrides of it");
  if (good.configHash !== now.configHash) changes.push("the config of its plugins");
  const paths = [...new Set([...Object.keys(good.files), ...Object.keys(now.files)])].sort();
  const files = paths.flatMap((path) => {
    const [then, today] = [good.files[path], now.files[path]];
    if (then === today) return [];
    return `file ${path}: ${then === undefined ? "added" : today === undefined ? "removed" : "replaced or written to"}`;
  });
  const more = files.length - changesLimit;
  return [...changes, ...files.slice(0, changesLimit), ...(more > 0 ? [`and ${more} more files`] : [])];
}

function manifestHash(manifest: Manifest): string {
  const { warnings: _, ...started } = manifest;
  const plain = (_key: string, value: unknown): unknown => (value instanceof Map ? [...value] : value);
  return createHash("sha256").update(JSON.stringify(started, plain)).digest("hex");
}

function stampFiles(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  const visit = (path: string, depth: number): void => {
    for (const entry of entriesOf(path)) {
      if (Object.keys(files).length >= filesLimit) return;
      const full = join(path, entry.name);
      if (entry.isDirectory() && depth < depthLimit) visit(full, depth + 1);
      if (!entry.isFile()) continue;
      const stat = statSync(full, { throwIfNoEntry: false });
      if (stat !== undefined) files[relative(folder, full)] = `${stat.size} ${stat.mtimeMs} ${stat.ino}`;
    }
  };
  if (folder !== "") visit(folder, 1);
  return files;
}

function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}
