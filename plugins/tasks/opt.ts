import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { SkipPlugin } from "bulkhead/plugin";

/** Without privileges there is no such folder to be had, and nothing to be run that would be in it. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o711 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EROFS") throw error;
    throw new SkipPlugin(`${folder} cannot be made (${code}): skip plugin`);
  }
}

/**
 * Makes the folders of optional programs and libraries and puts them first for everything this process starts
 * (containerd services/opt/service.go). Throws SkipPlugin where they
 * cannot be made.
 */
export function useOptFolder(path: string): void {
  for (const [variable, name] of [["PATH", "bin"] as const, ["LD_LIBRARY_PATH", "lib"] as const]) {
    const folder = join(path, name);
    makeFolder(folder);
    const others = process.env[variable];
    process.env[variable] = others === undefined || others === "" ? folder : `${folder}:${others}`;
  }
}
