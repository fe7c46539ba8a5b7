import { copyFile, mkdir, readdir, rmdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { debianRoot } from "../../scripts/peers/folders.ts";

/** What a test that runs containers cannot do without. */
export const runtimePeers = ["containerd", "runc", "busybox"] as const;

/** PATH in which a daemon finds the stock shims and runc before this machine's own. */
export function runtimePath(): string {
  const own = [join(debianRoot("containerd"), "usr/bin"), join(debianRoot("runc"), "usr/sbin")];
  return [...own, process.env["PATH"] ?? ""].join(":");
}

/** busybox by the names that tests use. */
const applets = [
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

/** Fills a folder with all that a container needs as its root: a static busybox. */
export async function makeRootfs(folder: string): Promise<void> {
  for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp"]) await mkdir(join(folder, name), { recursive: true });
  await copyFile(join(debianRoot("busybox"), "bin/busybox"), join(folder, "bin/busybox"));
  for (const name of applets) await symlink("busybox", join(folder, "bin", name));
}

/** Where stock's shim has runc keep its state, a folder a namespace. */
export const runcState = "/run/containerd/runc";

/** Removes what runc leaves of namespaces that begin so: empty folders. Fails when a container is still in one. */
export async function removeRuncFolders(beginning: string): Promise<void> {
  const names = await readdir(runcState).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(beginning))) await rmdir(join(runcState, name));
}
