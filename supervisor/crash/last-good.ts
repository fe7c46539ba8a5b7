import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeNew, type CrashFiles } from "./crash-files.ts";
import { describeChanges, type PackageStamp } from "./package-stamp.ts";

/** The last generation of each package that got ready, kept over the daemon's life too. Owns: its file beside crashes. */
export class LastGood {
  readonly #files: CrashFiles;
  readonly #stamps = new Map<string, PackageStamp | undefined>();

  constructor(files: CrashFiles) {
    this.#files = files;
  }

  of(packageName: string): PackageStamp | undefined {
    if (!this.#stamps.has(packageName)) this.#stamps.set(packageName, readStamp(this.#path(packageName)));
    return this.#stamps.get(packageName);
  }

  /** Notes one that is ready; written only when something has changed since. Throws what the file system says. */
  note(packageName: string, stamp: PackageStamp): void {
    const known = this.of(packageName);
    this.#stamps.set(packageName, stamp);
    if (known !== undefined && describeChanges(known, stamp).length === 0) return;
    mkdirSync(this.#files.folderOf(packageName), { recursive: true, mode: 0o700 });
    writeNew(this.#path(packageName), JSON.stringify(stamp));
  }

  #path(packageName: string): string {
    return join(this.#files.folderOf(packageName), "good");
  }
}

function readStamp(path: string): PackageStamp | undefined {
  try {
    const stamp = JSON.parse(readFileSync(path, "utf8")) as Partial<PackageStamp>;
    const texts = [stamp.hostVersion, stamp.version, stamp.manifestHash, stamp.configHash];
    const whole = texts.every((each) => typeof each === "string") && Number.isSafeInteger(stamp.generation);
    return whole && typeof stamp.files === "object" ? (stamp as PackageStamp) : undefined;
  } catch {
    return undefined;
  }
}
