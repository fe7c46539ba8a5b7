import { posix } from "node:path";

/** The parts of a name: `.` and empty ones mean nothing. */
export function partsOf(name: string): string[] {
  return name.split("/").filter((part) => part !== "" && part !== ".");
}

/**
 * The folder of an entry, as text that may begin with `/` or `..`, and its last part; undefined: the name means the root
 * itself. `..` goes up by the text alone, and never above the root.
 */
export function splitEntryName(name: string): { readonly folder: string; readonly base: string } | undefined {
  const clean = posix.normalize(name).replace(/\/$/, "");
  const slash = clean.lastIndexOf("/");
  const base = clean.slice(slash + 1);
  return base === "" || base === "." || base === ".."
    ? undefined
    : { folder: clean.slice(0, Math.max(0, slash)), base };
}
