import { readFileSync, realpathSync } from "node:fs";

/** A line of mountinfo. */
export interface MountEntry {
  readonly mountPoint: string;
  /** File system type, like "ext4". */
  readonly type: string;
  /** Like "/dev/sda1". */
  readonly source: string;
}

/** The mount that a path, which is there, is on. Throws Node's error for a path that is not. */
export function findMount(path: string): MountEntry {
  const found = nearestMount(parseMounts(readFileSync("/proc/self/mountinfo", "utf8")), realpathSync(path));
  if (found === undefined) throw new Error(`${path} is on no mount of this namespace`);
  return found;
}

/** The mount whose point is nearest above a clean absolute path; of several on one point the last, which hides them. */
export function nearestMount(mounts: readonly MountEntry[], path: string): MountEntry | undefined {
  let nearest: MountEntry | undefined;
  for (const mount of mounts) {
    const { mountPoint } = mount;
    const isAbove = path === mountPoint || path.startsWith(mountPoint === "/" ? "/" : `${mountPoint}/`);
    if (isAbove && mountPoint.length >= (nearest?.mountPoint.length ?? 0)) nearest = mount;
  }
  return nearest;
}

/** The lines of a mountinfo file (proc_pid_mountinfo(5)). */
export function parseMounts(mountinfo: string): MountEntry[] {
  return mountinfo
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [type = "", source = ""] = after.split(" ");
      return { mountPoint: unescape(before.split(" ")[4] ?? ""), type, source: unescape(source) };
    });
}

/** Spaces and the like stand as octal numbers. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
