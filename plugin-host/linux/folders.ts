import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder with those above it that are missing, each with `mode`; one that is there stays as it is. Unlike
 * mkdir's `recursive`, which never returns below /proc, it tries each folder once more than its parent and no oftener.
 * Throws the system's error.
 */
export function makeFolderPath(path: string, mode: number): void {
  try {
    makeOne(path, mode);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path) throw error;
    makeFolderPath(parent, mode);
    makeOne(path, mode);
  }
}

function makeOne(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    if (!isThere || statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}
