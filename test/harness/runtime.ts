import { copyFile, mkdir, readdir, rmdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { debianRoot } from "../../scripts/peers/folders.ts";
import { findHierarchies } from "../../supervisor/process/cgroup/hierarchies.ts";

/** What a test that runs containers cannot do without. */
export const runtimePeers = ["containerd", "runc", "busybox"] as const;

/** PATH in which a daemon finds the stock shims and runc before this machine's own. */
export function runtimePath(): string {
  const own = [join(debianRoot("containerd"), "usr/bin"), join(debianRoot("runc"), "usr/sbin")];
  return [...own, process.env["PATH"] ?? ""].join(":");
}

/** busybox by the names that tests use. */
export const applets = [
  "sh",
  "cat",
  "echo",
  "env",
  "false",
  "hostname",
  "id",
  "ls",
  "mount",
  "ps",
  "sleep",
  "stty",
  "touch",
  "true",
  "wc",
];

/** A static busybox. */
export function busyboxProgram(): string {
  return join(debianRoot("busybox"), "bin/busybox");
}

/** Fills a folder with all that a container needs as its root: a static busybox. */
export async function makeRootfs(folder: string): Promise<void> {
  for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp"]) await mkdir(join(folder, name), { recursive: true });
  await copyFile(busyboxProgram(), join(folder, "bin/busybox"));
  for (const name of applets) await symlink("busybox", join(folder, "bin", name));
}

/** Where stock's shim has runc keep its state, a folder a namespace. */
export const runcState = "/run/containerd/runc";

/**
 * Removes what runc leaves of namespaces that begin so: empty folders of its state, and empty cgroups. Fails when a
 * container is still in one.
 */
export async function removeRuncFolders(beginning: string): Promise<void> {
  for (const parent of [runcState, ...findHierarchies().map(({ mountPoint }) => mountPoint)]) {
    const names = await readdir(parent).catch(() => []);
    for (const name of names.filter((each) => each.startsWith(beginning))) await removeFolders(join(parent, name));
  }
}

/** Removes folders that hold nothing but such; a group's own files are no hindrance. */
async function removeFolders(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeFolders(join(path, entry.name));
  }
  await rmdir(path);
}
