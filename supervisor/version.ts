import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import manifest from "../package.json" with { type: "json" };

/** Semantic version of this Bulkhead. */
export const hostVersion: string = manifest.version;

/**
 * The git commit this runs from, 40 hex digits; empty when it is neither a checkout nor made from one. Reads a few
 * small files, so ask once and only when somebody wants to see it.
 */
export function readRevision(checkout: string = join(import.meta.dirname, "..")): string {
  return revisionOfCheckout(join(checkout, ".git")) || readText(import.meta.dirname, "revision");
}

function revisionOfCheckout(dotGit: string): string {
  // A worktree's .git is a file that names its folder; what all worktrees share is in the common folder.
  const worktree = /^gitdir: (.+)/.exec(readText(dotGit))?.[1];
  const folder = worktree === undefined ? dotGit : resolve(dotGit, "..", worktree);
  const common = resolve(folder, readText(folder, "commondir") || ".");
  const head = readText(folder, "HEAD");
  if (!head.startsWith("ref: ")) return head;
  const ref = head.slice("ref: ".length);
  const packed = (): string | undefined =>
    readText(common, "packed-refs")
      .split("\n")
      .find((line) => line.endsWith(` ${ref}`));
  return readText(common, ref) || (packed()?.split(" ")[0] ?? "");
}

/** Empty for a file that cannot be read. */
function readText(...path: readonly string[]): string {
  return readOrEmpty(() => readFileSync(join(...path), "utf8").trim());
}

function readOrEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
