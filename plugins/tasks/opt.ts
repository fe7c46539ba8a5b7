import { mkdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Makes the folders of optional programs and libraries and puts them first for everything this process starts
 * (containerd services/opt/service.go). Throws what the system says.
 */
export function useOptFolder(path: string): void {
  for (const [variable, name] of [["PATH", "bin"] as const, ["LD_LIBRARY_PATH", "lib"] as const]) {
    const folder = join(path, name);
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    const others = process.env[variable];
    process.env[variable] = others === undefined || others === "" ? folder : `${folder}:${others}`;
  }
}
