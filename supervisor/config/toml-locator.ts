import { type KeyPath, type Position, wholeFile } from "./source.ts";

/**
 * Where a key of a TOML file stands, found by reading its lines: the parser keeps no positions. It knows table
 * headers and `key = value` lines; what stands inside an inline table or list is found at its line. For error texts.
 */
export function locateTomlKey(text: string, path: KeyPath): Position {
  let best: { readonly depth: number; readonly position: Position } = { depth: 0, position: wholeFile };
  let table: KeyPath = [];
  for (const [index, line] of text.split("\n").entries()) {
    const column = line.length - line.trimStart().length + 1;
    const header = /^\s*\[\[?([^\]]+)\]/.exec(line)?.[1];
    const keys = header === undefined ? keysOf(line) : splitKeys(header);
    if (keys === undefined) continue;
    if (header !== undefined) table = keys;
    const depth = sharedDepth(header === undefined ? [...table, ...keys] : keys, path);
    if (depth > best.depth) best = { depth, position: { line: index + 1, column } };
  }
  return best.position;
}

function keysOf(line: string): KeyPath | undefined {
  const key = /^\s*((?:"[^"]*"|'[^']*'|[\w.-])(?:"[^"]*"|'[^']*'|[\w. -])*?)\s*=/.exec(line)?.[1];
  return key === undefined ? undefined : splitKeys(key);
}

function splitKeys(text: string): KeyPath {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|([\w-]+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );
}

/** How many keys of `path` the line spells; 0 where it is about something else. */
function sharedDepth(keys: KeyPath, path: KeyPath): number {
  return keys.length <= path.length && keys.every((key, index) => key === path[index]) ? keys.length : 0;
}
