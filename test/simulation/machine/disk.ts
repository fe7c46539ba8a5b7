import { dirname } from "node:path";
import type { Files } from "../../../supervisor/process/files.ts";

/** A disk in memory: paths and texts. */
export class Disk implements Files {
  /** Nothing can be written. */
  full = false;
  readonly files = new Map<string, string>();

  makeFolder(): void {}

  names(folder: string): readonly string[] {
    return [...this.files.keys()]
      .filter((path) => dirname(path) === folder)
      .map((path) => path.slice(folder.length + 1));
  }

  read(path: string): string {
    const text = this.files.get(path);
    if (text === undefined) throw Object.assign(new Error(`ENOENT: open '${path}'`), { code: "ENOENT" });
    return text;
  }

  replace(path: string, text: string): void {
    if (this.full)
      throw Object.assign(new Error(`ENOSPC: no space left on device, write '${path}'`), { code: "ENOSPC" });
    this.files.set(path, text);
  }

  remove(path: string): void {
    this.files.delete(path);
  }
}
