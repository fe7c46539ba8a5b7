import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { unmount, unmountFlags } from "#linux";
import { mountAll } from "./mount-all.ts";
import type { MountSpec } from "./overlay.ts";

/** Mounts on a folder of its own. Owns: folder and mounts, both gone when disposed. */
export class TempMount implements Disposable {
  readonly path: string;

  /** `base` is this generation's folder below the daemon's `tmpmounts`; made when missing. */
  constructor(base: string, mounts: readonly MountSpec[]) {
    mkdirSync(base, { recursive: true, mode: 0o700 });
    this.path = mkdtempSync(join(base, "mount"));
    try {
      mountAll(mounts, this.path);
    } catch (error) {
      rmdirSync(this.path);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    release(this.path);
  }
}

/**
 * Takes away what other generations of the package left (`<package>-<generation>`): they are dead when this one
 * starts. Gives a text for each thing that could not be done.
 */
export function sweepOtherGenerations(tempMounts: string, packageName: string, ownName: string): string[] {
  const problems: string[] = [];
  for (const name of namesOf(tempMounts)) {
    if (name === ownName || !name.startsWith(`${packageName}-`)) continue;
    problems.push(...sweepFolder(join(tempMounts, name)));
  }
  return problems;
}

/** Takes away every mount at and below a folder, and the folders. */
export function sweepFolder(base: string): string[] {
  if (!existsSync(base)) return [];
  const problems = namesOf(base).flatMap((name) => (isMountPoint(base) ? [] : sweepFolder(join(base, name))));
  try {
    release(base);
  } catch (error) {
    problems.push(`${base}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return problems;
}

/** Several mounts may lie on one path; what is left must be an empty folder, since contents are never removed. */
function release(path: string): void {
  while (isMountPoint(path)) unmount(path, unmountFlags.detach | unmountFlags.nofollow);
  rmdirSync(path);
}

function isMountPoint(path: string): boolean {
  const escaped = path.replace(/[\s\\]/g, (each) => `\\${each.charCodeAt(0).toString(8).padStart(3, "0")}`);
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === escaped);
}

function namesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
