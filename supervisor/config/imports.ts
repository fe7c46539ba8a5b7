import { globSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { readConfigFile, type FileConfig } from "./config-file.ts";
import { emptyFile, mergeFiles } from "./config-merge.ts";
import { ProblemList } from "./problem-list.ts";
import { fileLimitBytes, readText } from "./read-text.ts";
import { type Source, SourceError, wholeFile } from "./source.ts";

/** Files that one config may be made of. */
export const importLimit = 256;

/** A config file and all it imports. */
export interface ReadFiles {
  readonly merged: FileConfig;
  /** In the order they were merged, with what each says and what is wrong with it. */
  readonly files: readonly { readonly config: FileConfig; readonly problems: ProblemList }[];
}

/**
 * Reads a file and its imports, breadth first, each once, merging as containerd does. What cannot be read is a
 * problem of the file that imports it, or of itself when it is the first.
 */
export async function readFiles(first: string): Promise<ReadFiles> {
  const files: { config: FileConfig; problems: ProblemList }[] = [];
  const seen = new Set([first]);
  const pending = [{ file: first, report: undefined as ((error: SourceError, file: string) => void) | undefined }];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const { source, error } = await readSource(next.file);
    if (error !== undefined && next.report !== undefined && error.position.line === 0) {
      next.report(error, next.file);
      continue;
    }
    const problems = new ProblemList(source);
    if (error !== undefined) problems.at(error.position, error.message, error.hint);
    const config = error === undefined ? readConfigFile(problems) : emptyFile;
    files.push({ config, problems });
    for (const [index, pattern] of config.lists.imports.entries()) {
      const path = ["imports", String(index)];
      const report = (cause: SourceError, file: string): void =>
        problems.error(path, `cannot import ${file}: ${cause.message}`, cause.hint);
      for (const file of resolveImport(pattern, next.file)) {
        if (seen.has(file)) continue;
        seen.add(file);
        if (seen.size <= importLimit) pending.push({ file, report });
        else if (seen.size === importLimit + 1) problems.error(path, `more than ${importLimit} files are imported`);
      }
    }
  }
  return { merged: files.map(({ config }) => config).reduce(mergeFiles, emptyFile), files };
}

/** Globs only where there is a `*`; relative paths are relative to the importing file. */
function resolveImport(pattern: string, importer: string): string[] {
  const path = isAbsolute(pattern) ? pattern : join(dirname(importer), pattern);
  return path.includes("*") ? globSync(path).sort() : [path];
}

/** Parses one config file; on an error the source is empty. */
export async function readSource(file: string): Promise<{ source: Source; error: SourceError | undefined }> {
  const format = file.endsWith(".toml") ? "toml" : "yaml";
  try {
    return { source: await parse(file, readText(file, fileLimitBytes)), error: undefined };
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return { source: { file, format, value: {}, locate: () => wholeFile }, error };
  }
}

/** The name says which format it is, else the text. */
async function parse(file: string, text: string): Promise<Source> {
  const isToml = file.endsWith(".toml") || (!/\.ya?ml$/.test(file) && looksLikeToml(text));
  return isToml
    ? (await import("./toml-source.ts")).parseToml(file, text)
    : (await import("./yaml-source.ts")).parseYaml(file, text);
}

/** A first line that says something is a table or `key = value`. */
function looksLikeToml(text: string): boolean {
  return /^(?:\s*(?:#.*)?\n)*\s*(?:\[[^\n]*\]|[\w."'-]+\s*=)/.test(text);
}
