import assert from "node:assert/strict";
import { ownMountName } from "./tmpfs.ts";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { findHierarchies } from "../../supervisor/process/cgroup/hierarchies.ts";

/** Processes, bound sockets, mounts and cgroups of a daemon below `folder`, which it should not leave behind. */
export async function findLeftovers(folder: string): Promise<string[]> {
  const [processes, sockets, mounts] = await Promise.all([
    processesNaming(folder),
    linesNaming("/proc/net/unix", folder),
    linesNaming("/proc/self/mounts", folder),
  ]);
  const foreign = mounts.filter((line) => !line.startsWith(`${ownMountName} `));
  return [
    ...processes,
    ...sockets.map((line) => `socket ${line}`),
    ...foreign.map((line) => `mount ${line}`),
    ...cgroupsOf(join(folder, "state")).map((path) => `cgroup ${path}`),
  ];
}

/** Groups that packages of the daemon with that state folder run in. */
export function cgroupsOf(state: string): string[] {
  const name = `bulkhead-${createHash("sha256").update(state).digest("hex").slice(0, 12)}`;
  return findHierarchies()
    .map(({ ownFolder }) => join(ownFolder, name))
    .filter((path) => existsSync(path));
}

/** Fails when anything is left. */
export async function assertNothingLeft(folder: string): Promise<void> {
  assert.deepEqual(await findLeftovers(folder), [], `left behind below ${folder}`);
}

/** Processes (not this one) with the folder in their arguments, environment or working directory. */
export async function processesNaming(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const [command, environment, cwd] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => ""),
      readFile(`/proc/${pid}/environ`, "latin1").catch(() => ""),
      readlink(`/proc/${pid}/cwd`).catch(() => ""),
    ]);
    if (`${command}\0${environment}\0${cwd}`.includes(folder)) {
      found.push(`process ${pid} ${command.replaceAll("\0", " ").trim()}`);
    }
  }
  return found;
}

async function linesNaming(file: string, folder: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").filter((line) => line.includes(folder));
}
