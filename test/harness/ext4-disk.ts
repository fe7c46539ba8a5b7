import { closeSync, existsSync, openSync } from "node:fs";
import { truncate, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { execa } from "execa";
import { skipWithout } from "./peers.ts";
import { makeTempFolder } from "./temp-folder.ts";

/** EXT4_IOC_SHUTDOWN, and its flag that keeps what the journal holds in memory from the disk. */
const EXT4_IOC_SHUTDOWN = 0x8004587d;
const NOLOGFLUSH = 2;

/** An ext4 in a file, whose power can be cut. Owns: the mount, its loop device and the file. */
export interface Ext4Disk extends AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  /** What was not flushed by now is lost; nothing can be read or written any more. */
  cutPower(): void;
  /** The machine is on again: mounted anew. Nobody may have anything of it open. */
  restore(): Promise<void>;
}

/** For a test's `skip` option. */
export function skipWithoutExt4(): string | false {
  const program = ["/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"].some((path) => existsSync(path));
  return skipWithout({ root: true }) || (program ? false : "this machine has no mkfs.ext4");
}

/** Makes and mounts one of 128 MiB; needs root. */
export async function mountExt4(): Promise<Ext4Disk> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await makeTempFolder("ext4"));
  const [file, path] = [folder.join("disk"), folder.join("mnt")];
  await writeFile(file, "");
  await truncate(file, 128 * 2 ** 20);
  const env = { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
  await execa("mkfs.ext4", ["-q", file], { env });
  await execa("mkdir", [path]);
  const mount = () => execa("mount", ["-o", "loop", file, path]);
  await mount();
  stack.defer(async () => void (await execa("umount", [path])));
  const owned = stack.move();
  return {
    path,
    cutPower: () => shutDown(path),
    restore: async () => {
      await execa("umount", [path]);
      await mount();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function shutDown(folder: string): void {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  const ioctl = koffi.load(null).func("int ioctl(int fd, unsigned long request, void *argument)");
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(NOLOGFLUSH);
  const fd = openSync(folder, "r");
  try {
    if (ioctl(fd, EXT4_IOC_SHUTDOWN, flags) !== 0) throw new Error(`EXT4_IOC_SHUTDOWN: errno ${koffi.errno()}`);
  } finally {
    closeSync(fd);
  }
}
