import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LogFile } from "./log-file.ts";

/** Bytes of old output sent first, whatever number of lines is asked for. */
const tailLimitBytes = 1024 * 1024;

export interface LogTail {
  /** Files of instances before, oldest first, and where to begin in each. */
  readonly earlier: readonly { readonly path: string; readonly offset: number }[];
  /** Where to begin in the present instance's file. */
  readonly offset: number;
}

/**
 * Where the last `lines` lines of a package begin. An instance that has just started has said little: the lines
 * before come from the instances before it, whose files `<package>.<generation>` lie beside.
 */
export async function findLogTail(path: string, lines: number): Promise<LogTail> {
  const newest = await lastLines(path, lines, tailLimitBytes);
  const earlier: { path: string; offset: number }[] = [];
  let wantedLines = lines - newest.lines;
  let leftBytes = tailLimitBytes - newest.bytes;
  for (const before of wantedLines > 0 ? await earlierFiles(path) : []) {
    if (wantedLines <= 0 || leftBytes <= 0) break;
    const found = await lastLines(before, wantedLines, leftBytes);
    earlier.unshift({ path: before, offset: found.offset });
    wantedLines -= found.lines;
    leftBytes -= found.bytes;
  }
  return { earlier, offset: newest.offset };
}

async function lastLines(path: string, lines: number, limitBytes: number) {
  await using file = await LogFile.open(path, 0);
  return (await file?.findLastLines(lines, limitBytes)) ?? { offset: 0, lines: 0, bytes: 0 };
}

/** Files of the generations before, newest first. */
async function earlierFiles(path: string): Promise<string[]> {
  const match = /^(.*)\.(\d+)$/.exec(basename(path));
  if (match === null) return [];
  const [, name, generation] = match;
  const names = await readdir(dirname(path)).catch(() => []);
  return names
    .flatMap((each) => {
      const other = /^(.*)\.(\d+)$/.exec(each);
      return other?.[1] === name && Number(other?.[2]) < Number(generation) ? [Number(other?.[2])] : [];
    })
    .sort((a, b) => b - a)
    .map((each) => join(dirname(path), `${name}.${each}`));
}
