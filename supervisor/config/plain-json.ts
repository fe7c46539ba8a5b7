import type { Json, JsonObject } from "./config.ts";
import { formatPath, type KeyPath, type Position, SourceError } from "./source.ts";

/** Deepest nesting of a value in a file. */
export const depthLimit = 64;

/**
 * What a parser made, as plain JSON: dates become text, objects get no prototype tricks.
 * Throws SourceError for what JSON lacks, too deep nesting, and keys that would reach into objects.
 */
export function plainJson(value: unknown, locate: (path: KeyPath) => Position, path: KeyPath = []): Json {
  const fail = (message: string, hint = ""): SourceError => {
    const where = formatPath(path);
    return new SourceError(where === "" ? message : `${where}: ${message}`, locate(path), hint);
  };
  if (path.length > depthLimit) throw new SourceError(`nested deeper than ${depthLimit} levels`, locate(path));
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") {
    if (Number.isFinite(value)) return value;
    throw fail(`${value} is no usable number`);
  }
  if (typeof value !== "object") throw fail(`a ${typeof value} is too large or of no use here`, "quote it");
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((item, index) => plainJson(item, locate, [...path, String(index)]));
  const object: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === "__proto__")
      throw new SourceError('the key "__proto__" is not allowed', locate([...path, key]), "remove it");
    object[key] = plainJson(item, locate, [...path, key]);
  }
  return object;
}
