import { glob, stat } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { projectFolder } from "../peers/folders.ts";

const skipped = ["test/fixtures/"];

/**
 * Test files (`*.test.ts` below `test/`) at or below the given paths, all without any; absolute and sorted. A
 * path that is neither file nor folder is taken as the beginning of one (`test/plugins/con`).
 */
export async function findTestFiles(paths: readonly string[]): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const file of glob("test/**/*.test.ts", { cwd: projectFolder })) {
    if (!skipped.some((prefix) => file.startsWith(prefix))) all.push(file);
  }
  const prefixes = await Promise.all(paths.map(prefixOf));
  const chosen = prefixes.length === 0 ? all : all.filter((file) => prefixes.some((prefix) => file.startsWith(prefix)));
  return chosen.sort().map((file) => resolve(projectFolder, file));
}

async function prefixOf(path: string): Promise<string> {
  const relativePath = relative(projectFolder, resolve(path));
  const folder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return folder ? `${relativePath}/` : relativePath;
}
