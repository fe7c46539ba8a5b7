import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fixtureFolder } from "./peers.ts";
import type { TempFolder } from "./temp-folder.ts";

const brokenFolder = resolve(import.meta.dirname, "../fixtures/broken");

/** A copy of a package, perhaps under another name and with its manifest changed. */
export interface PackageCopy {
  readonly name: string;
  /** Name of the fixture it is a copy of; default: its own. */
  readonly from?: string;
  /** Changes the manifest's text. */
  readonly edit?: (manifest: string) => string;
}

/** Copies built fixtures and broken packages into a folder; gives the config line that has it searched. */
export async function packageFolder(
  folder: TempFolder,
  packages: {
    readonly fixtures?: readonly (string | PackageCopy)[];
    readonly broken?: readonly (string | PackageCopy)[];
  },
): Promise<string> {
  const target = folder.join("packages");
  await mkdir(target, { recursive: true });
  const copy = async (item: string | PackageCopy, sourceOf: (name: string) => string) => {
    const { name, from, edit }: PackageCopy = typeof item === "string" ? { name: item } : item;
    const into = join(target, name);
    await cp(sourceOf(from ?? name), into, { recursive: true });
    if (edit === undefined) return;
    const file = join(into, "plugin.yaml");
    await writeFile(file, edit(await readFile(file, "utf8")));
  };
  await Promise.all([
    ...(packages.fixtures ?? []).map((item) => copy(item, fixtureFolder)),
    ...(packages.broken ?? []).map((item) => copy(item, (name) => join(brokenFolder, name))),
  ]);
  return `plugin_dirs: [${target}]\n`;
}
