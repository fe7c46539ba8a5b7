import type { Json } from "../config/config.ts";
import { isObject } from "../config/fields.ts";
import { hiddenText } from "../config/secrets.ts";

/** Shorter ones would hide ordinary words. */
const leastSecretLength = 4;
/** Secrets of one package that are looked for. */
const secretsLimit = 200;

/** Words before a value that nobody should read. */
const keyed =
  /((?:password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|authorization|cookie)["']?\s*[:=]\s*["']?(?:bearer\s+|basic\s+)?)[^\s"',;&]+/gi;
/** `scheme://user:password@`. */
const inAddress = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]+:)[^\s@/]+@/gi;

/** The text without the given secrets, and without what looks like one. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) clean = clean.replaceAll(secret, hiddenText);
  return clean.replace(keyed, `$1${hiddenText}`).replace(inAddress, `$1${hiddenText}@`);
}

/** The texts in `value` that `shown`, the same config for people, hides; longest first. */
export function secretsIn(value: Json | undefined, shown: Json | undefined): string[] {
  const found = new Set<string>();
  collect(value, shown, found);
  return [...found].sort((a, b) => b.length - a.length).slice(0, secretsLimit);
}

function collect(value: Json | undefined, shown: Json | undefined, found: Set<string>): void {
  if (shown === hiddenText) return addAll(value, found);
  if (Array.isArray(value) && Array.isArray(shown)) {
    for (const [index, item] of value.entries()) collect(item, shown[index], found);
  } else if (isObject(value) && isObject(shown)) {
    for (const [key, item] of Object.entries(value)) collect(item, shown[key], found);
  }
}

/** A secret of several lines is written line by line. */
function addAll(value: Json | undefined, found: Set<string>): void {
  if (typeof value === "string") {
    for (const line of value.split("\n")) if (line.trim().length >= leastSecretLength) found.add(line.trim());
  } else if (Array.isArray(value)) for (const item of value) addAll(item, found);
  else if (isObject(value)) for (const item of Object.values(value)) addAll(item, found);
}
