import { mkdir } from "node:fs/promises";
import { execa } from "execa";
import type { TempFolder } from "./temp-folder.ts";

/** Source that mounts of the tests themselves are listed with. */
export const ownMountName = "bulkhead-test";

/** A small file system in memory, to be full or read-only. Owns: the mount. */
export interface Tmpfs extends AsyncDisposable {
  readonly path: string;
  remount(options: string): Promise<void>;
}

/** Mounts one of `size` (as mount(8) writes it) on a folder, which is made. Needs root. */
export async function mountTmpfs(path: string, size: string): Promise<Tmpfs> {
  await mkdir(path, { recursive: true });
  await execa("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0755`, ownMountName, path]);
  return {
    path,
    remount: async (options) => {
      await execa("mount", ["-o", `remount,${options}`, path]);
    },
    [Symbol.asyncDispose]: async () => {
      await execa("umount", ["-l", path]);
    },
  };
}

/** Has the state folder of a daemon below `folder` in memory, where /run is on the systems it is made for. */
export function stateInMemory(folder: TempFolder): Promise<Tmpfs> {
  return mountTmpfs(folder.join("state"), "256m");
}
