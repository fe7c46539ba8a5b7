import { join } from "node:path";

/** Puts the folder of optional programs and libraries first for everything that this process starts from now on. */
export function putOptFolderFirst(path: string): void {
  for (const [variable, name] of [["PATH", "bin"] as const, ["LD_LIBRARY_PATH", "lib"] as const]) {
    const folder = join(path, name);
    const others = process.env[variable];
    process.env[variable] = others === undefined || others === "" ? folder : `${folder}:${others}`;
  }
}
