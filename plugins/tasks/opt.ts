import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { SkipPlugin } from "bulkhead/plugin";
import { putOptFolderFirst } from "../shared/opt-folder.ts";

/**
 * Makes the folders of optional programs and libraries and puts them first for shims (containerd
 * services/opt/service.go). Throws SkipPlugin where they cannot be made: without privileges nothing could be in them.
 */
export function useOptFolder(path: string): void {
  for (const name of ["bin", "lib"]) {
    const folder = join(path, name);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o711 });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EACCES" && code !== "EROFS") throw error;
      throw new SkipPlugin(`${folder} cannot be made (${code}): skip plugin`);
    }
  }
  putOptFolderFirst(path);
}
