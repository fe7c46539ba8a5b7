import { createHash } from "node:crypto";
import { glob, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { projectFolder } from "./folders.ts";

/** One hash over all files at or below some paths of the project: names and contents. */
export async function hashFiles(paths: readonly string[]): Promise<string> {
  const files: string[] = [];
  for (const path of paths) {
    if ((await stat(join(projectFolder, path))).isFile()) files.push(path);
    else {
      for await (const entry of glob(`${path}/**/*`, { cwd: projectFolder, withFileTypes: true })) {
        if (entry.isFile()) files.push(join(entry.parentPath, entry.name).slice(projectFolder.length + 1));
      }
    }
  }
  const hash = createHash("sha256");
  for (const file of files.sort()) {
    hash.update(`${file}\0`).update(await readFile(join(projectFolder, file)));
  }
  return hash.digest("hex");
}
