import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, type BigIntStats } from "node:fs";
import { getXattr, listXattrs } from "#linux";

/** All that can be told of one entry of a tree, as text that compares. */
export type EntryFacts = Readonly<Record<string, string>>;

export interface TreeFactsOptions {
  /** Leaves the times of folders out: whoever copies a tree entry by entry may not keep them. */
  readonly ignoreFolderTimes?: boolean;
}

/** Facts of every entry of a tree by its path below the top, "" for that; names of one file share a `links` text. */
export function readTree(top: string, options: TreeFactsOptions = {}): Record<string, EntryFacts> {
  const facts: Record<string, EntryFacts> = {};
  const firstNames = new Map<bigint, string>();
  const visit = (path: string): void => {
    const full = Buffer.from(path === "" ? top : `${Buffer.from(top).toString("latin1")}/${path}`, "latin1");
    const stat = lstatSync(full, { bigint: true });
    facts[path] = factsOf(full, stat, options);
    if (stat.isDirectory()) {
      const names = readdirSync(full, { encoding: "latin1" }).sort();
      for (const name of names) visit(path === "" ? name : `${path}/${name}`);
    } else if (stat.nlink > 1n) {
      const first = firstNames.get(stat.ino) ?? path;
      firstNames.set(stat.ino, first);
      facts[path] = { ...facts[path], links: first };
    }
  };
  visit("");
  return facts;
}

function factsOf(path: Buffer, stat: BigIntStats, { ignoreFolderTimes }: TreeFactsOptions): EntryFacts {
  const xattrs = listXattrs(path).sort();
  const isTimed = !(stat.isDirectory() && ignoreFolderTimes === true);
  return {
    mode: stat.mode.toString(8),
    owner: `${stat.uid}:${stat.gid}`,
    ...(isTimed && { mtime: `${stat.mtimeNs}` }),
    ...(stat.isFile() && { size: `${stat.size}`, content: hashOf(path) }),
    ...(stat.isSymbolicLink() && { target: readlinkSync(path, { encoding: "latin1" }) }),
    ...((stat.isCharacterDevice() || stat.isBlockDevice()) && { device: `${stat.rdev}` }),
    ...(xattrs.length > 0 && {
      xattrs: xattrs.map((name) => `${name}=${getXattr(path, name)?.toString("latin1")}`).join(" "),
    }),
  };
}

function hashOf(path: Buffer): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
