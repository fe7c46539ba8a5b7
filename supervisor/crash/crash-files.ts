import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CrashLimits } from "../config/config.ts";

interface CrashFile {
  readonly path: string;
  readonly package: string;
  readonly atMs: number;
  readonly bytes: number;
}

/**
 * Crash files, `<root>/crashes.d/<package>/<milliseconds>-<generation>.json`, 0600; the dot keeps the folder apart from
 * every package's own. Bounded by package, by size and by what the disk has left. Owns: the folder's content.
 */
export class CrashFiles {
  readonly #folder: string;
  readonly #limits: CrashLimits;
  #files: CrashFile[] | undefined;

  constructor(root: string, limits: CrashLimits) {
    this.#folder = join(root, "crashes.d");
    this.#limits = limits;
  }

  /** Where the package's own are, for what is kept beside them. */
  folderOf(packageName: string): string {
    return join(this.#folder, packageName);
  }

  /** Those of a package, newest first. */
  list(packageName: string): string[] {
    return this.#known()
      .filter((file) => file.package === packageName)
      .map(({ path }) => path)
      .reverse();
  }

  /** The text of a crash file; undefined: it cannot be read, or has more bytes than any of ours. */
  read(path: string): string | undefined {
    try {
      return statSync(path).size > this.#limits.fileBytes ? undefined : readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  }

  /**
   * Writes one, and removes the oldest to make room. Gives its path; undefined when reports are off. Throws what the
   * file system says, and resource-exhausted texts when the disk is nearly full.
   */
  write(packageName: string, generation: number, atMs: number, text: string): string | undefined {
    const { files, fileBytes, totalBytes, reserveBytes } = this.#limits;
    const bytes = Buffer.byteLength(text);
    if (files === 0 || bytes > fileBytes || bytes > totalBytes) return undefined;
    const folder = this.folderOf(packageName);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#makeRoom(packageName, bytes);
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize - bytes < reserveBytes) {
      throw new Error(
        `${folder} has ${bavail * bsize} bytes left, of which crashes.disk_reserve keeps ${reserveBytes}: make room, or lower it`,
      );
    }
    const path = join(folder, `${atMs}-${generation}.json`);
    writeNew(path, text);
    this.#known().push({ path, package: packageName, atMs, bytes });
    return path;
  }

  #makeRoom(packageName: string, bytes: number): void {
    const own = this.list(packageName);
    for (const path of own.slice(this.#limits.files - 1)) this.#remove(path);
    let total = this.#known().reduce((sum, file) => sum + file.bytes, bytes);
    for (const { path, bytes: size } of this.#known()) {
      if (total <= this.#limits.totalBytes) return;
      this.#remove(path);
      total -= size;
    }
  }

  #remove(path: string): void {
    rmSync(path, { force: true });
    this.#files = this.#known().filter((file) => file.path !== path);
  }

  /** Oldest first; read from the disk once. */
  #known(): CrashFile[] {
    this.#files ??= namesIn(this.#folder)
      .flatMap((name) => namesIn(join(this.#folder, name)).flatMap((file) => this.#describe(name, file)))
      .sort((a, b) => a.atMs - b.atMs);
    return this.#files;
  }

  #describe(packageName: string, name: string): CrashFile[] {
    const found = /^(\d+)-\d+\.json$/.exec(name);
    const path = join(this.#folder, packageName, name);
    const stat = found === null ? undefined : statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ path, package: packageName, atMs: Number(found?.[1]), bytes: stat.size }];
  }
}

/** Writes beside and renames, so that no half of a file is ever there. */
export function writeNew(path: string, text: string): void {
  const fresh = `${path}.new`;
  try {
    writeFileSync(fresh, text, { mode: 0o600 });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
