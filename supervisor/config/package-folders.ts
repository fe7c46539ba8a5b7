import { fileURLToPath } from "node:url";
import type { Config } from "./config.ts";
import type { PackageFolder } from "./discover-packages.ts";

/** The packages that came with Bulkhead: sources in a checkout, beside the bundle in an installed package. */
const shippedFolder = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../plugins" : "./plugins", import.meta.url),
);

/** Where packages are looked for, in order of precedence; a name found twice belongs to the first. */
export function searchedFolders({ pluginDirs }: Pick<Config, "pluginDirs">): PackageFolder[] {
  return [
    { path: shippedFolder, shipped: true, optional: false },
    { path: "/usr/lib/bulkhead/plugins", shipped: false, optional: true },
    { path: "/etc/bulkhead/plugins", shipped: false, optional: true },
    ...pluginDirs.map((path) => ({ path, shipped: false, optional: false })),
  ];
}
