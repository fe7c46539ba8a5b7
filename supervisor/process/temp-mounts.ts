import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { unmount, unmountFlags } from "#linux";

/** Mount points at or below a folder, deepest first. */
export function mountsBelow(folder: string, mountinfo = readFileSync("/proc/self/mountinfo", "utf8")): string[] {
  return mountinfo
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
}

/**
 * Unmounts and removes what dead generations left in `<root>/tmpmounts`; those in `alive` (`<package>-<generation>`)
 * stay. Gives a text for each thing that could not be done; never throws.
 */
export function sweepTempMounts(root: string, alive: ReadonlySet<string>): string[] {
  const base = join(root, "tmpmounts");
  if (!existsSync(base)) return [];
  const problems: string[] = [];
  for (const name of readdirSync(base)) {
    if (alive.has(name)) continue;
    const folder = join(base, name);
    try {
      for (const mountPoint of mountsBelow(folder)) unmount(mountPoint, unmountFlags.detach | unmountFlags.nofollow);
      removeEmpty(folder);
    } catch (error) {
      problems.push(`${folder}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return problems;
}

/** Removes mount points, never content: a folder that still holds files keeps them. */
function removeEmpty(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmpty(join(folder, entry.name));
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
