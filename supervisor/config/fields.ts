import type { Json, JsonObject } from "./config.ts";
import { formatDuration, parseDurationMs } from "./duration.ts";
import { suggest } from "./nearest.ts";
import type { ProblemList } from "./problem-list.ts";
import { parseSizeBytes } from "./size.ts";
import type { KeyPath } from "./source.ts";

/** Longest time a timer of Node's can be set to. */
export const timerLimitMs = 2 ** 31 - 1;

/**
 * One map of a file, read key by key. Each reader gives undefined for a key that is absent (or null), and for one
 * that is wrong, which it reports; what nobody asked for is reported by `finish`.
 */
export class Fields {
  readonly path: KeyPath;
  readonly problems: ProblemList;
  readonly #values: JsonObject;
  readonly #known = new Set<string>();

  private constructor(values: JsonObject, path: KeyPath, problems: ProblemList) {
    this.#values = values;
    this.path = path;
    this.problems = problems;
  }

  /** A reader of `value`; an empty one when it is absent or, which is reported, no map. */
  static of(value: Json | undefined, path: KeyPath, problems: ProblemList): Fields {
    if (value === null || value === undefined) return new Fields({}, path, problems);
    if (isObject(value)) return new Fields(value, path, problems);
    problems.error(path, `expected a map of keys, got ${kindOf(value)}`);
    return new Fields({}, path, problems);
  }

  /** The raw value of a key; its checking is the caller's. */
  raw(key: string): Json | undefined {
    this.#known.add(key);
    return Object.hasOwn(this.#values, key) ? (this.#values[key] ?? undefined) : undefined;
  }

  /** Names that are fine and mean nothing here. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#known.add(key);
  }

  has(key: string): boolean {
    return this.raw(key) !== undefined;
  }

  pathOf(key: string): KeyPath {
    return [...this.path, key];
  }

  error(key: string, message: string, hint = ""): undefined {
    this.problems.error(this.pathOf(key), message, hint);
  }

  string(key: string, pattern?: RegExp, expected = "another form"): string | undefined {
    const value = this.#typed(key, "a string", (raw) => typeof raw === "string" && !raw.includes("\0")) as
      | string
      | undefined;
    if (value === undefined || pattern === undefined || pattern.test(value)) return value;
    return this.error(key, `expected ${expected}, got ${quote(value)}`);
  }

  boolean(key: string): boolean | undefined {
    return this.#typed(key, "true or false", (raw) => typeof raw === "boolean") as boolean | undefined;
  }

  integer(key: string, min = 0, max = Number.MAX_SAFE_INTEGER): number | undefined {
    return this.#number(key, min, max, true);
  }

  number(key: string, min: number, max: number): number | undefined {
    return this.#number(key, min, max, false);
  }

  /** Milliseconds. */
  duration(key: string, minMs = 0, maxMs = timerLimitMs): number | undefined {
    const raw = this.raw(key);
    if (raw === undefined) return undefined;
    const ms = parseDurationMs(raw);
    if (ms === undefined)
      return this.error(key, `expected a duration, got ${quote(raw)}`, 'write it like "10s" or "1m30s"');
    if (ms >= minMs && ms <= maxMs) return ms;
    return this.error(key, `expected ${formatDuration(minMs)} to ${formatDuration(maxMs)}, got ${quote(raw)}`);
  }

  /** Bytes. */
  size(key: string, min = 0, max = Number.MAX_SAFE_INTEGER): number | undefined {
    const raw = this.raw(key);
    if (raw === undefined) return undefined;
    const bytes = parseSizeBytes(raw);
    if (bytes === undefined)
      return this.error(key, `expected a size, got ${quote(raw)}`, 'write bytes or a size like "16MiB"');
    if (bytes < min) return this.error(key, `expected at least ${min} bytes, got ${quote(raw)}`);
    return bytes <= max ? bytes : this.error(key, `expected at most ${max} bytes, got ${quote(raw)}`);
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.string(key);
    if (value === undefined || (allowed as readonly string[]).includes(value)) return value as T | undefined;
    return this.error(key, `expected one of ${allowed.join(", ")}, got ${quote(value)}`, suggest(value, allowed));
  }

  /** A list of strings, each like `pattern`; those that are not are reported and left out. */
  strings(key: string, pattern?: RegExp, expected = "another form"): string[] | undefined {
    return this.list(key, (item, path) => {
      if (typeof item === "string" && !item.includes("\0") && (pattern?.test(item) ?? true)) return item;
      this.problems.error(path, `expected ${pattern === undefined ? "a string" : expected}, got ${quote(item)}`);
      return undefined;
    });
  }

  /** A list; `read` gives undefined for an item that it has reported. */
  list<T>(key: string, read: (item: Json, path: KeyPath) => T | undefined): T[] | undefined {
    const items = this.#typed(key, "a list", Array.isArray) as Json[] | undefined;
    return items?.flatMap((item, index) => {
      const value = read(item, [...this.pathOf(key), String(index)]);
      return value === undefined ? [] : [value];
    });
  }

  /** A map of named things; `read` gives undefined for one that it has reported. */
  map<T>(key: string, read: (value: Json, path: KeyPath, name: string) => T | undefined): Map<string, T> | undefined {
    const raw = this.#typed(key, "a map of keys", isObject) as JsonObject | undefined;
    if (raw === undefined) return undefined;
    const entries = new Map<string, T>();
    for (const [name, item] of Object.entries(raw)) {
      const value = read(item, [...this.pathOf(key), name], name);
      if (value !== undefined) entries.set(name, value);
    }
    return entries;
  }

  /** A map of strings. */
  stringMap(key: string): Record<string, string> | undefined {
    const entries = this.map(key, (item, path) => {
      if (typeof item === "string" && !item.includes("\0")) return item;
      const hint = typeof item === "number" || typeof item === "boolean" ? "put it in quotes" : "";
      this.problems.error(path, `expected a string, got ${quote(item)}`, hint);
      return undefined;
    });
    return entries && Object.fromEntries(entries);
  }

  /** A map below; empty when absent. */
  section(key: string): Fields {
    return Fields.of(this.raw(key), this.pathOf(key), this.problems);
  }

  /** Warns of every key that nobody asked for, but `x-*` where that is free. */
  finish(free = /^$/): void {
    for (const key of Object.keys(this.#values)) {
      if (this.#known.has(key) || free.test(key)) continue;
      this.problems.warn(this.pathOf(key), `unknown key ${quote(key)}`, suggest(key, this.#known) || "it is ignored");
    }
  }

  #number(key: string, min: number, max: number, whole: boolean): number | undefined {
    const fits = (raw: Json): boolean =>
      typeof raw === "number" && (!whole || Number.isSafeInteger(raw)) && raw >= min && raw <= max;
    const range = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`;
    return this.#typed(key, `a ${whole ? "whole " : ""}number ${range}`, fits) as number | undefined;
  }

  #typed(key: string, expected: string, fits: (raw: Json) => boolean): Json | undefined {
    const raw = this.raw(key);
    if (raw === undefined || fits(raw)) return raw;
    return this.error(key, `expected ${expected}, got ${quote(raw)}`);
  }
}

/** Whether it is a map. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in an error text: short, and never a secret's worth of it. */
export function quote(value: Json): string {
  if (typeof value === "object") return kindOf(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function kindOf(value: Json): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : quote(value);
}
