import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  type BigIntStats,
} from "node:fs";
import { getEntryXattr, listEntryXattrs } from "#linux";

/** Everything of one entry that a layer can tell, as lines of text. */
export type Tree = Readonly<Record<string, string>>;

/** What is in a folder, by path (a character a byte); times after `sinceMs` say "new", and which names are one file. */
export function treeOf(root: string, sinceMs: number): Tree {
  const tree: Record<string, string> = {};
  const firstNames = new Map<bigint, string>();
  const walk = (path: string): void => {
    const native = Buffer.from(`${root}${path === "" ? "" : `/${path}`}`, "latin1");
    const facts = lstatSync(native, { bigint: true });
    const first = facts.isDirectory() ? undefined : firstNames.get(facts.ino);
    if (first === undefined) firstNames.set(facts.ino, path);
    const lines = [factsLine(facts, sinceMs), ...xattrLines(root, path)];
    if (first !== undefined) lines.push(`is ${first}`);
    else if (facts.isSymbolicLink()) lines.push(`-> ${readlinkSync(native, { encoding: "latin1" })}`);
    else if (facts.isFile()) lines.push(createHash("sha256").update(readFileSync(native)).digest("hex"));
    tree[path === "" ? "." : path] = lines.join(" ");
    if (!facts.isDirectory()) return;
    const names = readdirSync(native, { encoding: "latin1" }).toSorted();
    for (const name of names) walk(path === "" ? name : `${path}/${name}`);
  };
  walk("");
  return tree;
}

function factsLine(facts: BigIntStats, sinceMs: number): string {
  const time = (nanos: bigint): string => (nanos / 1_000_000n >= BigInt(sinceMs) ? "new" : String(nanos));
  const size = facts.isDirectory() ? "" : ` ${facts.size} bytes`;
  const device = facts.isCharacterDevice() || facts.isBlockDevice() ? ` device ${facts.rdev}` : "";
  // Those of folders and links change as they are read.
  const accessed = facts.isDirectory() || facts.isSymbolicLink() ? "" : time(facts.atimeNs);
  const times = `${time(facts.mtimeNs)} ${accessed}`;
  return `${facts.mode.toString(8)} ${facts.uid}:${facts.gid}${size}${device} ${times} x${facts.nlink}`;
}

function xattrLines(root: string, path: string): string[] {
  const fd = openSync(root, constants.O_RDONLY);
  try {
    const keys = listEntryXattrs(fd, path).toSorted();
    return keys.map((key) => `${key}=${getEntryXattr(fd, path, key)?.toString("hex") ?? ""}`);
  } finally {
    closeSync(fd);
  }
}
