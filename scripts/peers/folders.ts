import { join, resolve } from "node:path";

/** The checkout's top folder. */
export const projectFolder = resolve(import.meta.dirname, "../..");
/** Everything that tests and benchmarks fetch or build; ignored by git, safe to delete. */
export const cacheFolder = join(projectFolder, ".cache");
export const peersFolder = join(cacheFolder, "peers");
export const fixturesCache = join(cacheFolder, "fixtures");
/** Virtual environment with the Python packages of the fixtures. */
export const pythonFolder = join(cacheFolder, "python");

/** Where a Debian package is unpacked as if it were `/`. */
export function debianRoot(peer: string): string {
  return join(peersFolder, peer);
}
