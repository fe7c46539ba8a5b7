import { execa } from "execa";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mkdtemp } from "node:fs/promises";
import { debianRoot, peersFolder } from "./folders.ts";

/** A program of Debian 12 that tests run beside ours; any other version counts as absent. */
export interface DebianPeer {
  readonly name: string;
  /** What its package's version begins with. */
  readonly version: string;
  /** The package, and those whose libraries it needs beside it. */
  readonly packages: readonly string[];
  /** Paths below the unpacked root that must be there. */
  readonly programs: readonly string[];
}

export const debianPeers: readonly DebianPeer[] = [
  {
    name: "containerd",
    version: "1.6.20~",
    packages: ["containerd"],
    programs: ["usr/bin/containerd", "usr/bin/ctr", "usr/bin/containerd-shim-runc-v2"],
  },
  { name: "busybox", version: "1:1.35.0-", packages: ["busybox-static"], programs: ["bin/busybox"] },
  { name: "runc", version: "1.1.5+", packages: ["runc", "libseccomp2"], programs: ["usr/sbin/runc"] },
  {
    name: "haproxy",
    version: "2.6.12-",
    packages: ["haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"],
    programs: ["usr/sbin/haproxy"],
  },
  { name: "btrfs-progs", version: "6.2-", packages: ["btrfs-progs", "liblzo2-2"], programs: ["sbin/mkfs.btrfs"] },
  { name: "pigz", version: "2.6-", packages: ["pigz"], programs: ["usr/bin/unpigz"] },
  { name: "docker-registry", version: "2.8.2+", packages: ["docker-registry"], programs: ["usr/bin/docker-registry"] },
  { name: "nginx", version: "1.22.1-", packages: ["nginx"], programs: ["usr/sbin/nginx"] },
];

const commandMs = 120_000;

/**
 * Unpacks a peer into `.cache/peers/<name>` with apt-get download and dpkg-deb; nothing is installed. Gives
 * undefined when it is there, else why not. Never throws.
 */
export async function prepareDebianPeer(peer: DebianPeer): Promise<string | undefined> {
  if ((await readMark(peer)) === markOf(peer)) return undefined;
  try {
    await unpack(peer);
    return undefined;
  } catch (error) {
    return `${peer.name} ${peer.version} could not be unpacked: ${firstLineOf(error)}`;
  }
}

async function unpack(peer: DebianPeer): Promise<void> {
  await mkdir(peersFolder, { recursive: true });
  const work = await mkdtemp(join(peersFolder, `.${peer.name}-`));
  try {
    const archives = await download(peer.packages, work);
    const version = await execa("dpkg-deb", ["-f", archives[0] ?? "", "Version"], { timeout: commandMs });
    if (!version.stdout.startsWith(peer.version)) {
      throw new Error(
        `this machine's package source has ${version.stdout}, the tests are written for ${peer.version}*`,
      );
    }
    const root = join(work, "root");
    for (const archive of archives) await execa("dpkg-deb", ["-x", archive, root], { timeout: commandMs });
    for (const program of peer.programs) await access(join(root, program));
    await writeFile(join(root, ".mark"), markOf(peer));
    await rm(debianRoot(peer.name), { recursive: true, force: true });
    await rename(root, debianRoot(peer.name));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Gives the archives' paths, in the order of `packages`. A machine whose lists are missing gets them first. */
async function download(packages: readonly string[], folder: string): Promise<readonly string[]> {
  const options = { cwd: folder, timeout: commandMs, env: { LC_ALL: "C.UTF-8" } };
  try {
    await execa("apt-get", ["download", ...packages], options);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT")
      throw new Error("this machine has no apt-get", { cause: error });
    await execa("apt-get", ["update"], options);
    await execa("apt-get", ["download", ...packages], options);
  }
  const { stdout } = await execa("ls", [], options);
  const files = stdout.split("\n");
  return packages.map((name) => {
    const file = files.find((candidate) => candidate.startsWith(`${name}_`) && candidate.endsWith(".deb"));
    if (file === undefined) throw new Error(`apt-get download ${name} brought no archive`);
    return join(folder, file);
  });
}

async function readMark(peer: DebianPeer): Promise<string | undefined> {
  return readFile(join(debianRoot(peer.name), ".mark"), "utf8").catch(() => undefined);
}

function markOf(peer: DebianPeer): string {
  return JSON.stringify([peer.version, peer.packages]);
}

function firstLineOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => line.startsWith("E: ")) ?? lines[0] ?? "unknown reason";
}
