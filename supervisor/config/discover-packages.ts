import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { loadManifest, type LoadedManifest } from "./manifest-file.ts";
import { ManifestCache } from "./manifest-cache.ts";

/** Where packages are looked for; each folder in it that holds a plugin.yaml is one. */
export interface PackageFolder {
  readonly path: string;
  /** Its packages came with Bulkhead, perhaps beside a folder of code that they share. */
  readonly shipped: boolean;
  /** It need not exist. */
  readonly optional: boolean;
}

export interface DiscoveryOptions {
  readonly hostVersion: string;
  /** File that remembers parsed manifests between starts, like `<state>/manifests.json`; undefined: none. */
  readonly cacheFile?: string | undefined;
  /** The same for shipped packages; undefined: they go into the other. */
  readonly shippedCacheFile?: string | undefined;
}

export interface Discovery {
  /** In the order of folders, then names; the names differ. One that is broken has a `failure`. */
  readonly packages: readonly LoadedManifest[];
  /** Texts for the log. */
  readonly warnings: readonly string[];
}

/** Packages that one host may have; a folder with more is not a folder of packages. */
export const packageLimit = 1000;

/** Finds and reads every package. A name that comes twice: the later one is failed, under `<name>~2`. */
export async function discoverPackages(
  folders: readonly PackageFolder[],
  { hostVersion, cacheFile, shippedCacheFile }: DiscoveryOptions,
): Promise<Discovery> {
  const warnings: string[] = [];
  const cache = openCache(cacheFile);
  const shippedCache = openCache(shippedCacheFile) ?? cache;
  const found = folders.flatMap((folder) =>
    packagesIn(folder, warnings).map((path) => ({ path, shipped: folder.shipped })),
  );
  if (found.length > packageLimit) {
    warnings.push(`more than ${packageLimit} packages: those from ${found[packageLimit]?.path ?? ""} on are left out`);
    found.length = packageLimit;
  }
  const loaded = await Promise.all(
    found.map(({ path, shipped }) => {
      const known = shipped ? shippedCache : cache;
      return loadManifest(path, { hostVersion, shipped, ...(known && { cache: known }) });
    }),
  );
  for (const each of new Set([cache, shippedCache])) each?.save();
  return { packages: distinctNames(loaded), warnings };
}

function openCache(file: string | undefined): ManifestCache | undefined {
  return file === undefined ? undefined : new ManifestCache(file);
}

function packagesIn({ path, shipped, optional }: PackageFolder, warnings: string[]): string[] {
  let names: string[];
  try {
    names = readdirSync(path).sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!(optional && code === "ENOENT")) warnings.push(`cannot look for packages in ${path}: ${message}`);
    return [];
  }
  return names
    .filter((name) => !name.startsWith(".") && name !== "node_modules" && isFolder(join(path, name)))
    .map((name) => join(path, name))
    .filter((folder) => {
      const isPackage = existsSync(join(folder, "plugin.yaml"));
      if (!isPackage && !shipped) warnings.push(`${folder} holds no plugin.yaml and is ignored`);
      return isPackage;
    });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function distinctNames(loaded: readonly LoadedManifest[]): LoadedManifest[] {
  const first = new Map<string, LoadedManifest>();
  return loaded.map((each) => {
    const { name, folder } = each.manifest;
    const owner = first.get(name);
    if (owner === undefined) {
      first.set(name, each);
      return each;
    }
    const manifest = { ...each.manifest, name: freeName(name, first) };
    first.set(manifest.name, each);
    const failure = `${folder}: the package name ${name} is taken by ${owner.manifest.folder}; remove one of them`;
    return { ...each, manifest, failure };
  });
}

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  let count = 2;
  while (taken.has(`${name}~${count}`)) count++;
  return `${name}~${count}`;
}
