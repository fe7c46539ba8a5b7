import type { Json } from "./config.ts";

/** Keys and list indexes (as text) from the top of a file. */
export type KeyPath = readonly string[];

/** Line and column from 1; 0 and 0: not known, the whole file. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A parsed file that can still say where a value stands. */
export interface Source {
  readonly file: string;
  readonly format: "yaml" | "toml";
  readonly value: Json;
  /** Where the value at `path` (or the nearest thing above it) stands. Slow: for texts about errors only. */
  locate(path: KeyPath): Position;
}

/** The file cannot be parsed at all; where, if that is known. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly position: Position;
  readonly hint: string;

  constructor(message: string, position: Position = wholeFile, hint = "", options?: ErrorOptions) {
    super(message, options);
    this.position = position;
    this.hint = hint;
  }
}

export const wholeFile: Position = { line: 0, column: 0 };

/** A path as people write it: `plugins."io.containerd.x".key`, `plugins[0].type`. */
export function formatPath(path: KeyPath): string {
  return path.reduce((text, key) => {
    if (/^\d+$/.test(key)) return `${text}[${key}]`;
    const word = /^[\w/-]+$/.test(key) ? key : JSON.stringify(key);
    return text === "" ? word : `${text}.${word}`;
  }, "");
}

/** Line and column of an offset into a text. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: before.length - lineStart + 1 };
}
