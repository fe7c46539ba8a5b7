import { rmSync } from "node:fs";

/** Removes trees, those that are not there too. Goes on after a failure and throws the first one in the end. */
export function removeTrees(paths: readonly string[]): void {
  const failures: unknown[] = [];
  for (const path of paths) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
