import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** A disk as far as records need one. What fails throws what the file system says. */
export interface Files {
  /** Makes it, for its owner alone, if it is not there. */
  makeFolder(path: string): void;
  names(folder: string): readonly string[];
  read(path: string): string;
  /** Whoever reads it has the old text or the new one. */
  replace(path: string, text: string): void;
  /** A file or a folder, if it is there. */
  remove(path: string): void;
}

/** This machine's. */
export const diskFiles: Files = {
  makeFolder: (path) => void mkdirSync(path, { recursive: true, mode: 0o700 }),
  names: (folder) => readdirSync(folder),
  read: (path) => readFileSync(path, "utf8"),
  replace(path, text) {
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  },
  remove: (path) => rmSync(path, { force: true, recursive: true }),
};
