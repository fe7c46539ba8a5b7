import { existsSync, readFileSync, statfsSync } from "node:fs";
import { release } from "node:os";

/** statfs type of tmpfs. */
const tmpfsMagic = 0x01021994;
/** The first kernel with userxattr. */
const firstRelease = [5, 11] as const;

/**
 * Mount options of overlay that this kernel needs: `index=off` where it knows an index, which would forbid sharing
 * layers; `userxattr` in a user namespace, where its marks cannot be trusted.* ones.
 */
export function readKernelOptions(root: string): string[] {
  const indexOff = existsSync("/sys/module/overlay/parameters/index") ? ["index=off"] : [];
  return [...indexOff, ...(needsUserXattr(root) ? ["userxattr"] : [])];
}

function needsUserXattr(root: string): boolean {
  if (!isInUserNamespace(readFileSync("/proc/self/uid_map", "utf8"))) return false;
  return statfsSync(root).type !== tmpfsMagic && isAtLeast(release(), firstRelease);
}

/** Whether a uid_map is another than that of the first user namespace. */
export function isInUserNamespace(uidMap: string): boolean {
  return uidMap.trim().split(/\s+/).join(" ") !== "0 0 4294967295";
}

/** Whether a kernel release like "5.11.3-arch1" is that version or a later one. */
export function isAtLeast(text: string, [major, minor]: readonly [number, number]): boolean {
  const [first = 0, second = 0] = text.split(".").map((part) => Number.parseInt(part, 10));
  return first > major || (first === major && second >= minor);
}
