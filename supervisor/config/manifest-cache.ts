import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Json } from "./config.ts";
import { isObject } from "./fields.ts";
import type { ParsedTexts } from "./manifest-file.ts";

/**
 * Parsed manifests of an earlier start, so that a boot need not load a YAML parser (26 ms for what takes 1 ms so).
 * An entry counts only for exactly the text it was made of. Owns: the file.
 */
export class ManifestCache implements ParsedTexts {
  readonly #file: string;
  readonly #known: ReadonlyMap<string, Entry>;
  readonly #used = new Map<string, Entry>();
  #changed = false;

  constructor(file: string) {
    this.#file = file;
    this.#known = readEntries(file);
  }

  get(file: string, text: string): Json | undefined {
    const entry = this.#known.get(file);
    if (entry?.text !== text) return undefined;
    this.#used.set(file, entry);
    return entry.value;
  }

  set(file: string, text: string, value: Json): void {
    this.#used.set(file, { text, value });
    this.#changed = true;
  }

  /** Writes what was used, if there is anything new. A full disk is no reason to fail: the cache stays as it was. */
  save(): void {
    if (!this.#changed && this.#used.size === this.#known.size) return;
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify(Object.fromEntries(this.#used)), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    } catch {
      // the next start parses again
    }
  }
}

interface Entry {
  readonly text: string;
  readonly value: Json;
}

function readEntries(file: string): Map<string, Entry> {
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as Json;
    const entries: [string, unknown][] = isObject(value) ? Object.entries(value) : [];
    return new Map(entries.filter(isEntry));
  } catch {
    return new Map(); // absent, half written or of another version
  }
}

function isEntry(pair: [string, unknown]): pair is [string, Entry] {
  const entry = pair[1] as Partial<Entry> | null;
  return typeof entry === "object" && typeof entry?.text === "string" && entry.value !== undefined;
}
