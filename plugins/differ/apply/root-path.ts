import { posix } from "node:path";
import { HostError } from "#proto/wire/errors.ts";

/** As containerd bounds them. */
const linkLimit = 255;

/** The target of the symlink at a path that begins with `/`, the root of the tree; undefined: there is none. */
export type LinkAt = (path: string) => string | undefined;

/**
 * Where a name leads below the root of a tree, without symlinks, beginning with `/`: as containerd's fs.RootPath has it
 * (continuity fs/path.go). What is not there counts as no symlink, and `..` in the target of a link is mostly taken by the
 * text alone, so a name may lead past folders that are missing or links themselves.
 * @throws HostError unknown for too many links.
 */
export function rootPath(name: string, linkAt: LinkAt): string {
  let links = 0;
  let at = name;
  for (let before = -1; before !== links; ) {
    before = links;
    at = pass(at, (path) => {
      const target = linkAt(path);
      if (target !== undefined && ++links > linkLimit) throw new HostError("unknown", `${name}: too many links`);
      return target;
    });
  }
  return posix.join("/", at);
}

/** Each part once; what a link gave is looked at by the next pass. */
function pass(name: string, linkAt: LinkAt): string {
  const parts = name.split("/").filter((part) => part !== "");
  let reached = name.startsWith("/") ? "/" : "";
  for (const part of parts) {
    const path = posix.join("/", reached, part);
    const target = path === "/" ? undefined : linkAt(path);
    if (target === undefined) reached = path;
    // The target as it is: the next pass may then meet its `..` one by one.
    else if (reached === "" || target.startsWith("/")) reached = target;
    else reached = posix.join(reached, target);
  }
  return reached;
}
