import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../config/manifest.ts";

/**
 * Which version of its data each package last ran with on this root (plugin contract, `data`), so that an older package
 * never gets its hands on what a newer one wrote. Owns: `<root>/data-versions`, one file a package.
 */
export class DataVersions {
  readonly #folder: string;

  constructor(root: string) {
    this.#folder = join(root, "data-versions");
  }

  /** Why the package must not run on this root; undefined: it may. */
  problem({ name, data }: Manifest): string | undefined {
    const last = this.#last(name);
    if (last === undefined || data?.reads.includes(last) === true) return undefined;
    const reads =
      data === undefined ? "this one does not say which it reads" : `this one reads ${data.reads.join(", ")}`;
    return (
      `its data on this root has version ${last}, and ${reads}: install the package that ran last again, or ` +
      `move its data away together with ${join(this.#folder, name)}`
    );
  }

  /** To be called before each start: on disk before the package runs. Throws what the file system says. */
  record({ name, data }: Manifest): void {
    if (data === undefined || this.#last(name) === data.version) return;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const file = join(this.#folder, name);
    writeFileSync(`${file}.new`, `${data.version}\n`, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
    const folder = openSync(this.#folder, "r");
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }

  #last(name: string): number | undefined {
    try {
      const text = readFileSync(join(this.#folder, name), "utf8").trim();
      return /^\d+$/.test(text) ? Number(text) : undefined;
    } catch {
      return undefined; // it never ran here
    }
  }
}
