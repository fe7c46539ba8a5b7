import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type LoadOptions, type ReadConfig, readConfig } from "../../../supervisor/config/load.ts";
import { type ConfigProblem, describeProblem } from "../../../supervisor/config/problem.ts";
import { makeTempFolder, type TempFolder } from "../../harness/temp-folder.ts";

/** A temp folder with these files, by relative path. Owns: the folder. */
export async function makeFiles(files: Readonly<Record<string, string | Buffer>>): Promise<TempFolder> {
  const folder = await makeTempFolder("config");
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(folder.join(path)), { recursive: true });
    writeFileSync(folder.join(path), content);
  }
  return folder;
}

/** Reads a config made of these files, the first of which is the main one. */
export async function readSample(
  files: Readonly<Record<string, string | Buffer>>,
  options: Partial<LoadOptions> = {},
): Promise<ReadConfig & { readonly texts: string[]; readonly folder: string }> {
  await using folder = await makeFiles(files);
  const file = folder.join(Object.keys(files)[0] ?? "");
  const read = await readConfig({ file, privileged: true, env: {}, ...options });
  return { ...read, texts: problemTexts(read.problems, folder.path), folder: folder.path };
}

/** Problems as people read them, file names without the folder. */
export function problemTexts(problems: readonly ConfigProblem[], folder: string): string[] {
  return problems.map((problem) => `${problem.severity}: ${describeProblem(problem).replaceAll(`${folder}/`, "")}`);
}
