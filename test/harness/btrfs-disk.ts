import { readFileSync } from "node:fs";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { debianRoot } from "../../scripts/peers/folders.ts";
import { skipWithout } from "./peers.ts";
import { makeTempFolder } from "./temp-folder.ts";

/** For a test's `skip` option. */
export function skipWithoutBtrfs(): string | false {
  const isKnown = readFileSync("/proc/filesystems", "utf8").includes("\tbtrfs\n");
  return skipWithout({ peers: ["btrfs-progs"], root: true }) || (isKnown ? false : "this kernel has no btrfs");
}

/** A btrfs in a file. Owns: the mount, its loop device and the file. */
export interface BtrfsDisk extends AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
}

/** Makes and mounts one; needs root and the peer btrfs-progs. */
export async function mountBtrfs(size = "512M"): Promise<BtrfsDisk> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await makeTempFolder("btrfs"));
  const [file, path] = [folder.join("disk"), folder.join("mnt")];
  await writeFile(file, "");
  await truncate(file, Number.parseInt(size, 10) * 2 ** 20);
  const libraries = ["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"].map((each) =>
    join(debianRoot("btrfs-progs"), each),
  );
  const env = { LD_LIBRARY_PATH: libraries.join(":") };
  await execa(join(debianRoot("btrfs-progs"), "sbin/mkfs.btrfs"), ["-q", file], { env });
  await execa("mkdir", [path]);
  await execa("mount", ["-o", "loop", file, path]);
  stack.defer(async () => void (await execa("umount", [path])));
  const owned = stack.move();
  return { path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
